-- Every drop of a day by stage and rule, with one reason as an example.
WITH best_cases AS (
    -- A function without a sample is explained by what happened to most of its cases, with a reason of that rule.
    SELECT
        function_id,
        rule,
        min(reason) AS reason
    FROM cases
    WHERE function_id NOT IN (SELECT function_id FROM cases WHERE kept)
    GROUP BY function_id, rule
    QUALIFY row_number() OVER (PARTITION BY function_id ORDER BY count(*) DESC, rule) = 1
),

drops AS (
    SELECT
        1 AS place,
        'repositories' AS stage,
        drop_rule AS rule,
        drop_reason AS reason
    FROM repositories
    UNION ALL
    SELECT
        2,
        'files',
        drop_rule,
        drop_reason
    FROM files
    UNION ALL
    SELECT
        3,
        'functions',
        drop_rule,
        drop_reason
    FROM functions
    UNION ALL
    SELECT
        4,
        'kept',
        rule,
        reason
    FROM verdicts
    UNION ALL
    SELECT
        5,
        'inputs',
        rejection.rule,
        rejection.reason
    FROM (
        SELECT unnest(rejected) AS rejection
        FROM inputs
        SEMI JOIN (
            SELECT function_id
            FROM verdicts
            WHERE kept
        ) USING (function_id)
    )
    UNION ALL
    SELECT
        7,
        'cases',
        rule,
        reason
    FROM cases
    UNION ALL
    SELECT
        8,
        'samples',
        rule,
        reason
    FROM best_cases
    UNION ALL
    SELECT
        8,
        'samples',
        rule,
        reason
    FROM left_out
)

SELECT
    stage,
    rule,
    count(*) AS dropped,
    min(reason) AS example
FROM drops
WHERE rule IS NOT NULL
GROUP BY place, stage, rule
ORDER BY place, dropped DESC, rule
