-- A page of samples in the order of their ids, of functions whose name contains a text.
SELECT
    sample_id,
    split,
    function_name,
    repository,
    path,
    license,
    n_cases,
    n_shown,
    distinct_outputs,
    line_coverage,
    writer
FROM read_parquet($files)
WHERE
    sample_id > $after
    AND contains(lower(function_name), lower($name))
ORDER BY sample_id
LIMIT $rows
