-- What an evaluation asks about: samples of a split, all or so many by a hash, in one order for all models.
SELECT
    sample_id,
    function_name,
    list_transform(parameters, lambda p: p.name) AS parameters,
    list_transform(list_filter(parameters, lambda p: p.kind = 'POSITIONAL_ONLY'), lambda p: p.name) AS positional_only,
    cases,
    completion,
    loc,
    cyclomatic_complexity,
    license,
    writer
FROM samples
WHERE split = $split
QUALIFY $max_samples IS NULL OR row_number() OVER (ORDER BY md5(sample_id)) <= $max_samples
ORDER BY md5(sample_id)
