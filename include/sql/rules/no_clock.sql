-- No clock or calendar of today: tomorrow the output would be another one.
WITH used AS (
    SELECT
        occurrence_id,
        name
    FROM (
        SELECT
            occurrence_id,
            unnest(list_concat(imports, undefined_names)) AS name
        FROM candidates
    )
    WHERE
        name IN (
            'time', 'timeit', 'monotonic', 'perf_counter'
        )
    UNION ALL
    SELECT
        occurrence_id,
        name
    FROM (
        SELECT
            occurrence_id,
            unnest(attributes) AS name
        FROM candidates
    )
    WHERE
        name IN (
            'now', 'utcnow', 'today', 'monotonic', 'perf_counter', 'process_time', 'time_ns', 'fromtimestamp'
        )
)

SELECT
    occurrence_id,
    'uses ' || string_agg(DISTINCT name, ', ' ORDER BY name) AS reason
FROM used
GROUP BY occurrence_id
