-- Clusters of the new functions of one bucket, in order.
SELECT
    function_id,
    cluster_id,
    similar_to,
    similarity
FROM assigned
WHERE function_id[1] = $bucket
ORDER BY function_id
