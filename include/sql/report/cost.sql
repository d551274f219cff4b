-- What the inputs of a day's kept functions cost, by origin; paid once, whenever it was.
SELECT
    inputs.origin,
    count(*) AS functions,
    sum(len(inputs.arguments))::BIGINT AS inputs,
    sum(inputs.tokens_in)::BIGINT AS tokens_in,
    sum(inputs.tokens_out)::BIGINT AS tokens_out,
    sum(inputs.cost_usd) AS cost_usd
FROM inputs
SEMI JOIN (
    SELECT function_id
    FROM verdicts
    WHERE kept
) USING (function_id)
GROUP BY inputs.origin
ORDER BY inputs.origin
