-- No clock or calendar of today: tomorrow the output would be another one.
SELECT
    occurrence_id,
    'uses ' || array_to_string(used, ', ') AS reason
FROM (
    SELECT
        occurrence_id,
        list_sort(list_distinct(list_concat(
            list_intersect(
                list_concat(imports, undefined_names), ['time', 'timeit', 'monotonic', 'perf_counter']
            ),
            list_intersect(
                attributes,
                ['now', 'utcnow', 'today', 'monotonic', 'perf_counter', 'process_time', 'time_ns', 'fromtimestamp']
            )
        ))) AS used
    FROM candidates
)
WHERE len(used) > 0
