-- Functions with kept cases that leave `train` because a held-out one shares their cluster or computes the same.
CREATE OR REPLACE TEMP TABLE left_out AS
WITH placed AS (
    SELECT
        function_splits.function_id,
        function_splits.split,
        clusters.cluster_id,
        behaviours.behaviour_id
    FROM function_splits
    SEMI JOIN (
        SELECT function_id
        FROM cases
        WHERE kept
    ) USING (function_id)
    LEFT JOIN clusters ON function_splits.function_id = clusters.function_id
    LEFT JOIN behaviours ON function_splits.function_id = behaviours.function_id
),

held_out_clusters AS (
    SELECT
        cluster_id,
        min(function_id) AS function_id
    FROM placed
    WHERE split = 'test' AND cluster_id IS NOT NULL
    GROUP BY cluster_id
),

held_out_behaviours AS (
    SELECT
        behaviour_id,
        min(function_id) AS function_id
    FROM placed
    WHERE split = 'test' AND behaviour_id IS NOT NULL
    GROUP BY behaviour_id
)

SELECT
    placed.function_id,
    CASE
        WHEN held_out_clusters.function_id IS NOT NULL THEN 'held_out_cluster'
        ELSE 'held_out_behaviour'
    END AS rule,
    CASE
        WHEN held_out_clusters.function_id IS NOT NULL THEN 'nearly the same as the held-out '
        ELSE 'computes the same as the held-out '
    END || coalesce(held_out_clusters.function_id, held_out_behaviours.function_id) AS reason
FROM placed
LEFT JOIN held_out_clusters ON placed.cluster_id = held_out_clusters.cluster_id
LEFT JOIN held_out_behaviours ON placed.behaviour_id = held_out_behaviours.behaviour_id
WHERE
    placed.split = 'train'
    AND coalesce(held_out_clusters.function_id, held_out_behaviours.function_id) IS NOT NULL
ORDER BY placed.function_id
