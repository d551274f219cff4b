-- What the stages said of one function: kept, or the rule that dropped it and one of its reasons. For each version that
-- is the newest day that has it; a stage that is not there never saw the function.
CREATE MACRO why(id) AS TABLE
    WITH said AS (
        SELECT
            filename,
            1 AS place,
            'filter_functions' AS stage,
            kept,
            rule,
            reason
        FROM read_parquet($verdicts, filename = TRUE, union_by_name = TRUE)
        WHERE function_id = id
        UNION ALL
        SELECT
            filename,
            2,
            'select_cases',
            kept,
            rule,
            reason
        FROM read_parquet($cases, filename = TRUE, union_by_name = TRUE)
        WHERE function_id = id
        UNION ALL
        SELECT
            filename,
            3,
            'publish_snapshot',
            TRUE,
            NULL,
            'sample ' || sample_id || ' in ' || split || ', from ' || repository || ' ' || path || ':' || start_line
        FROM read_parquet($latest, filename = TRUE)
        WHERE function_id = id
    )

    SELECT
        regexp_extract(filename, '.*/([0-9]{4}-[0-9]{2}-[0-9]{2})[/-]', 1) AS date,
        stage,
        kept,
        rule,
        count(*) AS times,
        min(reason) AS reason
    FROM said
    GROUP BY date, place, stage, kept, rule
    ORDER BY date DESC, place, count(*) DESC, rule
