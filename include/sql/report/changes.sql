-- What became of the rows of one snapshot in the next, by the rule that the newer day has for each.
WITH judged AS (
    SELECT
        function_id,
        bool_or(kept) AS kept,
        arg_min(rule, (rule <> 'revoked', rule)) FILTER (NOT kept) AS rule,
        arg_min(reason, (rule <> 'revoked', rule)) FILTER (NOT kept) AS reason
    FROM verdicts
    GROUP BY function_id
),

best_cases AS (
    SELECT
        function_id,
        rule,
        min(reason) AS reason
    FROM cases
    WHERE function_id NOT IN (SELECT function_id FROM cases WHERE kept)
    GROUP BY function_id, rule
    QUALIFY row_number() OVER (PARTITION BY function_id ORDER BY count(*) DESC, rule) = 1
),

removed AS (
    SELECT
        'removed' AS change,
        before.function_id,
        CASE
            WHEN judged.function_id IS NULL THEN 'not_in_the_sources'
            WHEN NOT judged.kept THEN judged.rule
            ELSE coalesce(best_cases.rule, 'left_out_of_the_snapshot')
        END AS rule,
        CASE
            WHEN judged.function_id IS NULL THEN before.repository || ' has no such function any more'
            WHEN NOT judged.kept THEN judged.reason
            ELSE coalesce(best_cases.reason, 'a held-out function has its cluster or computes the same')
        END AS reason
    FROM before
    ANTI JOIN after USING (function_id)
    LEFT JOIN judged ON before.function_id = judged.function_id
    LEFT JOIN best_cases ON before.function_id = best_cases.function_id
),

added AS (
    SELECT
        'added' AS change,
        after.function_id,
        'new' AS rule,
        after.repository AS reason
    FROM after
    ANTI JOIN before USING (function_id)
)

SELECT
    change,
    rule,
    count(*) AS samples,
    min(reason) AS example,
    min(function_id) AS function_id
FROM (
    FROM removed
    UNION ALL
    FROM added
)
GROUP BY change, rule
ORDER BY change DESC, samples DESC, rule
