-- Near-duplicates are either trained on or held out.
SELECT
    min(sample_id) AS sample_id,
    'its cluster ' || cluster_id || ' is in both splits' AS reason
FROM samples
WHERE cluster_id IS NOT NULL
GROUP BY cluster_id
HAVING count(DISTINCT split) > 1
