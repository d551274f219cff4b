-- How isolated the code of a bucket's cases ran, the weakest level first: its layers, and what became of the canaries.
SELECT
    executions.isolation,
    executions.isolation_layers AS layers,
    executions.canaries,
    count(*) AS executions
FROM executions
SEMI JOIN (
    SELECT
        function_id,
        arguments
    FROM cases
    WHERE function_id >= $bucket AND function_id < $bucket || 'g'
) AS cases ON executions.function_id = cases.function_id AND executions.arguments = cases.arguments
GROUP BY ALL
ORDER BY executions.isolation, executions.canaries
