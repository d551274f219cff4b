-- Samples of `train` that have a near-duplicate in `test`: one row for each cluster that is in both.
SELECT
    min(sample_id) FILTER (split <> 'test') AS sample_id,
    'the cluster ' || cluster_id || ' is in both splits' AS reason
FROM samples
WHERE cluster_id IS NOT NULL
GROUP BY cluster_id
HAVING count(DISTINCT split) > 1
ORDER BY cluster_id
