-- What is unseen in one bucket of the ledger, in order.
SELECT
    id,
    code
FROM unseen
WHERE id[1] = $bucket
ORDER BY id
