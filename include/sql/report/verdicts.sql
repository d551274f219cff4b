-- How many functions of each ledger bucket there are, and how many are kept.
SELECT
    function_id[1] AS bucket,
    count(*) AS functions,
    count(*) FILTER (kept) AS kept
FROM verdicts
GROUP BY bucket
ORDER BY bucket
