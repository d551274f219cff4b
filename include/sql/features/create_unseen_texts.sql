-- Texts of candidates that the ledger `known` misses; equal texts once.
CREATE OR REPLACE TEMP TABLE unseen AS
SELECT
    md5(candidates.code) AS id,
    any_value(candidates.code) AS code
FROM candidates
ANTI JOIN known ON md5(candidates.code) = known.text_id
GROUP BY id
