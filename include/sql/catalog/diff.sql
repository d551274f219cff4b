-- What changed from one version to another, sample by sample; of a removed one, the rule that dropped its function.
CREATE MACRO diff(a, b) AS TABLE
    WITH earlier AS (
        SELECT *
        FROM read_parquet(coalesce($files[a], error('no snapshot ' || a || '; the table snapshots lists them')))
    ),

    later AS (
        SELECT *
        FROM read_parquet(coalesce($files[b], error('no snapshot ' || b || '; the table snapshots lists them')))
    ),

    -- A function is explained by its drop where all its occurrences were dropped, else by that of most of its cases.
    judged AS (
        SELECT
            function_id,
            bool_or(kept) AS kept,
            arg_min(rule, (rule <> 'revoked', rule)) FILTER (NOT kept) AS rule,
            arg_min(reason, (rule <> 'revoked', rule)) FILTER (NOT kept) AS reason
        FROM read_parquet($verdicts, filename = TRUE, union_by_name = TRUE)
        WHERE filename = $verdicts_of[b]
        GROUP BY function_id
    ),

    best_cases AS (
        SELECT
            function_id,
            rule,
            min(reason) AS reason,
            row_number() OVER (PARTITION BY function_id ORDER BY bool_or(kept) DESC, count(*) DESC, rule) AS place
        FROM read_parquet($cases, filename = TRUE, union_by_name = TRUE)
        WHERE filename = $cases_of[b]
        GROUP BY function_id, rule
    )

    SELECT
        CASE
            WHEN earlier.sample_id IS NULL THEN 'added'
            WHEN later.sample_id IS NULL THEN 'removed'
            ELSE 'changed'
        END AS change,
        sample_id,
        coalesce(later.function_id, earlier.function_id) AS function_id,
        coalesce(later.function_name, earlier.function_name) AS function_name,
        coalesce(later.repository, earlier.repository) AS repository,
        coalesce(later.license, earlier.license) AS license,
        CASE WHEN change = 'changed' THEN concat_ws(
            ', ',
            CASE WHEN earlier.split IS DISTINCT FROM later.split THEN 'split' END,
            CASE WHEN earlier.code IS DISTINCT FROM later.code THEN 'code' END,
            CASE WHEN earlier.cases IS DISTINCT FROM later.cases THEN 'cases' END,
            CASE WHEN earlier.prompt IS DISTINCT FROM later.prompt THEN 'prompt' END,
            CASE WHEN earlier.license IS DISTINCT FROM later.license THEN 'license' END,
            CASE
                WHEN
                    (earlier.repository, earlier.path)
                    IS DISTINCT FROM (later.repository, later.path)
                    THEN 'source'
            END
        ) END AS columns,
        CASE
            WHEN change <> 'removed' THEN NULL
            WHEN judged.function_id IS NULL THEN 'not_in_the_sources'
            WHEN NOT judged.kept THEN judged.rule
            ELSE coalesce(best_cases.rule, 'left_out_of_the_snapshot')
        END AS rule,
        CASE
            WHEN change <> 'removed' THEN NULL
            WHEN judged.function_id IS NULL THEN earlier.repository || ' has no such function any more'
            WHEN NOT judged.kept THEN judged.reason
            ELSE coalesce(best_cases.reason, 'a held-out function has its cluster or computes the same')
        END AS reason
    FROM earlier
    FULL JOIN later USING (sample_id)
    LEFT JOIN judged ON earlier.function_id = judged.function_id
    LEFT JOIN best_cases ON earlier.function_id = best_cases.function_id AND best_cases.place = 1
    WHERE change <> 'changed' OR columns <> ''
    ORDER BY change, sample_id
