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

    dropped AS (
        SELECT
            1 AS place,
            function_id,
            rule,
            reason
        FROM read_parquet($verdicts, filename = TRUE, union_by_name = TRUE)
        WHERE filename = $verdicts_of[b]
        UNION ALL
        SELECT
            2,
            function_id,
            rule,
            reason
        FROM read_parquet($cases, filename = TRUE, union_by_name = TRUE)
        WHERE filename = $cases_of[b]
    ),

    -- A function without a sample is explained by what happened to it first, and to most of its cases.
    causes AS (
        SELECT
            function_id,
            rule,
            min(reason) AS reason
        FROM dropped
        WHERE rule IS NOT NULL
        GROUP BY function_id, place, rule
        QUALIFY row_number() OVER (PARTITION BY function_id ORDER BY place, count(*) DESC, rule) = 1
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
        CASE WHEN change = 'removed' THEN coalesce(causes.rule, 'not_found') END AS rule,
        CASE WHEN change = 'removed' THEN coalesce(causes.reason, 'no repository of the day has it') END AS reason
    FROM earlier
    FULL JOIN later USING (sample_id)
    LEFT JOIN causes ON earlier.function_id = causes.function_id
    WHERE change <> 'changed' OR columns <> ''
    ORDER BY change, sample_id
