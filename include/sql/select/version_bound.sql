-- Executions that give something else in another interpreter.
SELECT
    executions.function_id,
    executions.arguments,
    string_agg(executions_elsewhere.python_version, ', ' ORDER BY executions_elsewhere.python_version) AS versions
FROM executions
INNER JOIN executions_elsewhere USING (function_id, arguments)
WHERE
    executions.outcome IS DISTINCT FROM executions_elsewhere.outcome
    OR executions.value IS DISTINCT FROM executions_elsewhere.value
GROUP BY executions.function_id, executions.arguments
ORDER BY executions.function_id, executions.arguments
