-- No files, archives or databases: what they hold is not among the arguments.
SELECT
    occurrence_id,
    'uses ' || array_to_string(used, ', ') AS reason
FROM (
    SELECT
        occurrence_id,
        list_sort(list_intersect(
            list_distinct(list_concat(list_transform(imports, lambda m: split_part(m, '.', 1)), undefined_names)),
            [
                'Path', 'bz2', 'dbm', 'fcntl', 'filecmp', 'fileinput', 'glob', 'gzip', 'h5py', 'io',
                'linecache', 'logging', 'lzma', 'mmap', 'os', 'pandas', 'pathlib', 'psycopg2', 'pymongo', 'shelve',
                'shutil', 'sqlalchemy', 'sqlite3', 'tarfile', 'tempfile', 'zipfile'
            ]
        )) AS used
    FROM candidates
)
WHERE len(used) > 0
