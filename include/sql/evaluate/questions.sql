-- What an evaluation asks about: samples of a split and a view, all or so many by a hash, in one order for all models.
-- The view relaxed has all samples, strict those that catalog/strict.sql has, the others are bands of difficulty.
SELECT
    samples.sample_id,
    samples.function_name,
    list_transform(samples.parameters, lambda p: p.name) AS parameters,
    list_transform(
        list_filter(samples.parameters, lambda p: p.kind = 'POSITIONAL_ONLY'), lambda p: p.name
    ) AS positional_only,
    samples.cases,
    samples.completion,
    samples.loc,
    samples.cyclomatic_complexity,
    samples.license,
    samples.writer
FROM samples
LEFT JOIN difficulty USING (sample_id)
WHERE
    samples.split = $split
    AND (
        $view = 'relaxed'
        OR difficulty.band = $view
        OR (
            $view = 'strict'
            AND samples.benchmark_twin IS NULL
            AND samples.line_coverage >= 0.9
            AND samples.mutants_killed_shown = samples.mutants_killed
        )
    )
QUALIFY $max_samples IS NULL OR row_number() OVER (ORDER BY md5(samples.sample_id)) <= $max_samples
ORDER BY md5(samples.sample_id)
