-- Functions of a bucket that were tried on the inputs of a reference, and the reference on theirs, on whatever night
-- that was.
CREATE OR REPLACE TEMP TABLE alike AS
SELECT DISTINCT
    probes.function_id,
    probes.program_id
FROM probes
SEMI JOIN benchmark_references USING (program_id)
SEMI JOIN (
    SELECT function_id
    FROM verdicts
    WHERE kept
) AS kept ON probes.function_id = kept.function_id
WHERE probes.program_id <> probes.function_id
