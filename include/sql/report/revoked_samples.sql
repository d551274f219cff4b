-- How many rows of a snapshot are revoked since, by what revokes them.
SELECT
    reason,
    count(*) AS samples
FROM found
GROUP BY reason
ORDER BY reason
