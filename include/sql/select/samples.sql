-- One row for each function with kept cases, in the snapshot's order; Python adds the prompt and the completion.
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
    WHERE kept
    GROUP BY function_id
),

-- Of the lines that calls can run, those that a kept case runs.
coverage AS (
    SELECT
        cases.function_id,
        len(list_distinct(flatten(list(executions.lines)))) / max(executions.reachable_lines) AS line_coverage
    FROM cases
    INNER JOIN executions USING (function_id, arguments)
    WHERE cases.kept AND executions.reachable_lines > 0
    GROUP BY cases.function_id
)

SELECT
    md5('sample ' || functions.function_id) AS sample_id,
    functions.function_id,
    CASE
        WHEN
            list_contains($test_repositories, functions.repository)
            OR ('0x' || md5(functions.repository)[1:8])::UBIGINT < $test_share * 4294967296
            THEN 'test'
        ELSE 'train'
    END AS split,
    functions.name AS function_name,
    functions.code,
    list_transform(
        functions.parameters,
        lambda p: {'name': p.name, 'kind': p.kind, 'has_default': p.has_default, 'annotation': p.annotation}
    ) AS parameters,
    kept_cases.cases,
    NULL::VARCHAR AS prompt,
    NULL::VARCHAR AS completion,
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
    NULL::INTEGER AS mutants,
    NULL::INTEGER AS mutants_killed_shown,
    NULL::INTEGER AS mutants_killed,
    functions.loc,
    functions.cyclomatic_complexity,
    clusters.cluster_id,
    NULL::VARCHAR AS benchmark_twin,
    $isolation AS isolation,
    $python_version AS python_version
FROM functions
INNER JOIN verdicts USING (occurrence_id)
INNER JOIN kept_cases ON functions.function_id = kept_cases.function_id
LEFT JOIN coverage ON functions.function_id = coverage.function_id
LEFT JOIN clusters ON functions.function_id = clusters.function_id
WHERE verdicts.kept
ORDER BY split DESC, sample_id
