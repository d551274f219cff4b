-- No processes, threads, signals or native code: their results depend on the machine and on timing.
SELECT
    occurrence_id,
    'uses ' || array_to_string(used, ', ') AS reason
FROM (
    SELECT
        occurrence_id,
        list_sort(list_intersect(
            list_distinct(list_concat(list_transform(imports, lambda m: split_part(m, '.', 1)), undefined_names)),
            [
                '_thread', 'anyio', 'asyncio', 'atexit', 'celery', 'cffi', 'concurrent', 'ctypes', 'dask',
                'eventlet', 'faulthandler', 'gevent', 'joblib', 'multiprocessing', 'pexpect', 'psutil', 'pty',
                'queue', 'ray', 'resource', 'sched', 'signal', 'subprocess', 'threading', 'trio'
            ]
        )) AS used
    FROM candidates
)
WHERE len(used) > 0
