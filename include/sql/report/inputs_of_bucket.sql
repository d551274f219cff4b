-- How many different inputs the kept functions of some ledger buckets have.
SELECT count(*) AS inputs
FROM (
    SELECT DISTINCT
        inputs.function_id,
        unnest(inputs.arguments)
    FROM inputs
    SEMI JOIN (
        SELECT function_id
        FROM verdicts
        WHERE kept
    ) USING (function_id)
)
