-- No processes, threads, signals or native code: their results depend on the machine and on timing.
SELECT
    occurrence_id,
    'uses ' || string_agg(DISTINCT name, ', ' ORDER BY name) AS reason
FROM (
    SELECT
        occurrence_id,
        split_part(unnest(list_concat(imports, undefined_names)), '.', 1) AS name
    FROM candidates
)
WHERE
    name IN (
        '_thread', 'anyio', 'asyncio', 'atexit', 'celery', 'cffi', 'concurrent', 'ctypes', 'dask',
        'eventlet', 'faulthandler', 'gevent', 'joblib', 'multiprocessing', 'pexpect', 'psutil', 'pty',
        'queue', 'ray', 'resource', 'sched', 'signal', 'subprocess', 'threading', 'trio'
    )
GROUP BY occurrence_id
