-- The licences of a snapshot, the most frequent first.
SELECT
    license,
    count(*) AS samples,
    count(DISTINCT repository) AS repositories
FROM samples
GROUP BY license
ORDER BY samples DESC, license
