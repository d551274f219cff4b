-- One row for each function of a bucket with kept cases that is not left out; Python adds the texts.
WITH kept_cases AS (
    SELECT
        function_id,
        list(
            {
                'arguments': arguments,
                'outcome': outcome,
                'value': value,
                'value_type': value_type,
                'comparator': comparator,
                'shown': shown,
                'origin': origin
            } ORDER BY position
        ) AS cases,
        string_agg(DISTINCT origin, ', ' ORDER BY origin) AS writer,
        count(*) AS n_cases,
        count(*) FILTER (shown) AS n_shown,
        count(DISTINCT outcome || value) AS distinct_outputs
    FROM cases
    WHERE kept AND function_id >= $bucket AND function_id < $bucket || 'g'
    GROUP BY function_id
),

-- Of the lines that calls can run, those that a kept case runs.
coverage AS (
    SELECT
        cases.function_id,
        len(list_distinct(flatten(list(executions.lines)))) / max(executions.reachable_lines) AS line_coverage
    FROM cases
    INNER JOIN executions USING (function_id, arguments)
    WHERE
        cases.kept
        AND cases.function_id >= $bucket AND cases.function_id < $bucket || 'g'
        AND executions.reachable_lines > 0
    GROUP BY cases.function_id
)

SELECT
    md5('sample ' || functions.function_id) AS sample_id,
    functions.function_id,
    function_splits.split,
    functions.name AS function_name,
    functions.code,
    list_transform(
        functions.parameters,
        lambda p: {'name': p.name, 'kind': p.kind, 'has_default': p.has_default, 'annotation': p.annotation}
    ) AS parameters,
    kept_cases.cases,
    NULL::VARCHAR AS prompt,
    NULL::VARCHAR AS completion,
    NULL::VARCHAR AS prompt_template,
    NULL::BOOLEAN AS names_shown,
    functions.repository,
    functions.revision,
    functions.path,
    functions.start_line,
    functions.end_line,
    functions.license,
    functions.url,
    functions.committed_at,
    kept_cases.writer,
    kept_cases.n_cases,
    kept_cases.n_shown,
    kept_cases.distinct_outputs,
    coverage.line_coverage,
    mutation_scores.mutants,
    mutation_scores.mutants_killed_shown,
    mutation_scores.mutants_killed,
    functions.loc,
    functions.cyclomatic_complexity,
    clusters.cluster_id,
    benchmark_twins.task AS benchmark_twin,
    $isolation AS isolation,
    $python_version AS python_version
FROM functions
INNER JOIN verdicts USING (occurrence_id)
INNER JOIN kept_cases ON functions.function_id = kept_cases.function_id
INNER JOIN function_splits ON functions.function_id = function_splits.function_id
LEFT JOIN mutation_scores ON functions.function_id = mutation_scores.function_id
LEFT JOIN coverage ON functions.function_id = coverage.function_id
LEFT JOIN clusters ON functions.function_id = clusters.function_id
LEFT JOIN benchmark_twins ON functions.function_id = benchmark_twins.function_id
ANTI JOIN left_out ON functions.function_id = left_out.function_id
WHERE
    verdicts.kept
    AND functions.function_id >= $bucket AND functions.function_id < $bucket || 'g'
ORDER BY sample_id
