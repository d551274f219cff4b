-- Kept functions of some buckets that the writer's ledger misses; of the day's functions it is asked about
-- at most $max_functions, chosen by a hash, so that a re-run asks about the same ones.
WITH chosen AS (
    SELECT
        occurrence_id,
        function_id
    FROM verdicts
    WHERE kept
    QUALIFY $max_functions IS NULL OR row_number() OVER (ORDER BY md5(function_id)) <= $max_functions
)

SELECT
    functions.function_id,
    functions.name,
    functions.code,
    functions.parameters,
    functions.seeds,
    known.reached
FROM functions
SEMI JOIN chosen USING (occurrence_id)
ANTI JOIN inputs USING (function_id)
LEFT JOIN (
    SELECT
        function_id,
        reached
    FROM inputs_before
    WHERE reached IS NOT NULL
) AS known USING (function_id)
WHERE list_contains($buckets, functions.function_id[1])
ORDER BY functions.function_id
