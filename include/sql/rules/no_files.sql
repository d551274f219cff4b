-- No files, archives or databases: what they hold is not among the arguments.
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
        'Path', 'bz2', 'dbm', 'fcntl', 'filecmp', 'fileinput', 'glob', 'gzip', 'h5py', 'io',
        'linecache', 'logging', 'lzma', 'mmap', 'os', 'pandas', 'pathlib', 'psycopg2', 'pymongo', 'shelve',
        'shutil', 'sqlalchemy', 'sqlite3', 'tarfile', 'tempfile', 'zipfile'
    )
GROUP BY occurrence_id
