-- Candidates that are in no cluster yet.
CREATE OR REPLACE TEMP TABLE unclustered AS
SELECT DISTINCT candidates.function_id
FROM candidates
ANTI JOIN clusters USING (function_id)
