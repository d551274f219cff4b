-- No look at the interpreter, the user or the machine: elsewhere the output would be another one.
WITH used AS (
    SELECT
        occurrence_id,
        name
    FROM (
        SELECT
            occurrence_id,
            split_part(unnest(list_concat(imports, undefined_names)), '.', 1) AS name
        FROM candidates
    )
    WHERE
        name IN (
            'sys', 'platform', 'locale', 'site', 'sysconfig', 'getpass', 'pwd', 'grp', 'gc', 'inspect', 'importlib',
            'traceback', 'tracemalloc', 'warnings', 'environ', 'getenv', 'argv', 'argparse'
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
            'environ', 'getenv', 'argv', '_getframe', 'getcwd', 'getpid', 'gethostname'
        )
)

SELECT
    occurrence_id,
    'uses ' || string_agg(DISTINCT name, ', ' ORDER BY name) AS reason
FROM used
GROUP BY occurrence_id
