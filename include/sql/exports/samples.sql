-- What exports need of the samples of one split, in the snapshot's order; no task of a benchmark is among what is
-- trained on, also where the recipe keeps and marks them.
SELECT
    sample_id,
    split,
    function_name,
    code,
    cases,
    prompt,
    completion,
    repository,
    revision,
    path,
    start_line,
    end_line,
    license,
    url
FROM samples
WHERE
    split = $split
    AND (split = 'test' OR benchmark_twin IS NULL)
