-- Candidates that the ledger `known` misses; of the texts of one function, the first in order, so that it is the same
-- one whatever else is there.
CREATE OR REPLACE TEMP TABLE unseen AS
SELECT
    candidates.function_id AS id,
    min(candidates.code) AS code
FROM candidates
ANTI JOIN known ON candidates.function_id = known.function_id
GROUP BY id
