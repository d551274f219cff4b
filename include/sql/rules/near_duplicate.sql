-- Of nearly equal functions one stays: the oldest or the shortest, and among equals the first by place.
WITH ranked AS (
    SELECT
        candidates.*,
        clusters.cluster_id,
        CASE $keep
            WHEN 'oldest' THEN epoch(candidates.committed_at)
            WHEN 'shortest' THEN length(candidates.code)
            ELSE error('keep is oldest or shortest, not ' || $keep)
        END AS rank
    FROM candidates
    INNER JOIN clusters USING (function_id)
)

SELECT
    occurrence_id,
    'nearly the code of ' || first_value(repository || ' ' || path || ':' || start_line) OVER same_cluster AS reason
FROM ranked
WINDOW same_cluster AS (PARTITION BY cluster_id ORDER BY rank, repository, path, start_line, occurrence_id)
QUALIFY row_number() OVER same_cluster > 1
