-- No look at the interpreter, the user or the machine: elsewhere the output would be another one.
SELECT
    occurrence_id,
    'uses ' || array_to_string(used, ', ') AS reason
FROM (
    SELECT
        occurrence_id,
        list_sort(list_distinct(list_concat(
            list_intersect(
                list_concat(list_transform(imports, lambda m: split_part(m, '.', 1)), undefined_names),
                [
                    'sys', 'platform', 'locale', 'site', 'sysconfig', 'getpass', 'pwd', 'grp', 'gc', 'inspect',
                    'importlib', 'traceback', 'tracemalloc', 'warnings', 'environ', 'getenv', 'argv', 'argparse'
                ]
            ),
            list_intersect(attributes, ['environ', 'getenv', 'argv', '_getframe', 'getcwd', 'getpid', 'gethostname'])
        ))) AS used
    FROM candidates
)
WHERE len(used) > 0
