-- The ledger buckets that have a kept function.
SELECT DISTINCT function_id[1] AS bucket
FROM verdicts
WHERE kept
ORDER BY bucket
