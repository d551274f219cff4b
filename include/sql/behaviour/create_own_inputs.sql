-- The inputs of the day, of some buckets, for which a function that is alike a reference returned something, and their
-- hash.
CREATE OR REPLACE TEMP TABLE own_inputs AS
WITH given AS (
    SELECT DISTINCT
        inputs.function_id,
        unnest(inputs.arguments) AS arguments
    FROM inputs
    SEMI JOIN alike USING (function_id)
)

SELECT
    executions.function_id,
    list(executions.arguments ORDER BY executions.arguments) AS arguments,
    md5(string_agg(executions.arguments, chr(10) ORDER BY executions.arguments)) AS own_hash
FROM executions
SEMI JOIN given USING (function_id, arguments)
WHERE executions.outcome = 'returned' AND executions.stable
GROUP BY executions.function_id
