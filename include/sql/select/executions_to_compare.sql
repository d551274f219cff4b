-- What may become a case of the kept functions of some buckets and did not run elsewhere yet, a row for each function.
WITH missing AS (
    SELECT
        function_id,
        list(arguments ORDER BY arguments) AS arguments
    FROM executions
    ANTI JOIN executions_elsewhere USING (function_id, arguments)
    WHERE
        list_contains($buckets, function_id[1])
        AND stable
        AND outcome IN ('returned', 'raised')
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
