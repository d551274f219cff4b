-- What exports need of the samples of one split, in the snapshot's order.
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
WHERE split = $split
