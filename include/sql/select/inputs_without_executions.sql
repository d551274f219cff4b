-- Distinct inputs of the kept functions of some buckets that the executions ledger misses, one row for each function.
WITH wanted AS (
    SELECT DISTINCT
        function_id,
        unnest(arguments) AS arguments
    FROM inputs
    WHERE list_contains($buckets, function_id[1])
),

missing AS (
    SELECT
        function_id,
        list(arguments ORDER BY arguments) AS arguments
    FROM wanted
    ANTI JOIN executions USING (function_id, arguments)
    GROUP BY function_id
)

SELECT
    functions.function_id,
    functions.name,
    functions.code,
    missing.arguments
FROM functions
INNER JOIN verdicts USING (occurrence_id)
INNER JOIN missing ON functions.function_id = missing.function_id
WHERE verdicts.kept
ORDER BY functions.function_id
