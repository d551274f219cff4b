-- One verdict for each extracted function: kept, or dropped with the rule and the reason.
SELECT
    functions.occurrence_id,
    functions.function_id,
    dropped.rule IS NULL AS kept,
    dropped.rule,
    dropped.reason
FROM functions
LEFT JOIN dropped USING (occurrence_id)
WHERE functions.drop_rule IS NULL
ORDER BY functions.occurrence_id
