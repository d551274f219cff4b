-- Every executed input of a kept function: a candidate for the cases of its sample, or the rule and the reason why not.
-- Candidates are ranked so that each output comes once before any comes twice, values before exceptions.
WITH named AS (
    SELECT
        function_id,
        unnest(arguments) AS arguments,
        unnest(origins) AS own_origin,
        origin
    FROM inputs
),

origins AS (
    SELECT
        function_id,
        arguments,
        coalesce(own_origin, origin) AS origin
    FROM named
),

executed AS (
    SELECT
        executions.*,
        (
            SELECT min(origins.origin)
            FROM origins
            WHERE
                origins.function_id = executions.function_id
                AND origins.arguments = executions.arguments
        ) AS origin
    FROM executions
    SEMI JOIN (
        SELECT function_id
        FROM verdicts
        WHERE kept
    ) USING (function_id)
    SEMI JOIN origins USING (function_id, arguments)
),

judged AS (
    SELECT
        *,
        CASE
            WHEN outcome NOT IN ('returned', 'raised') THEN outcome
            WHEN NOT stable THEN 'unstable'
            WHEN (function_id, arguments) IN (SELECT (function_id, arguments) FROM version_bound) THEN 'version_bound'
            WHEN outcome = 'raised' AND value IN ('TypeError', 'AttributeError', 'NameError', 'UnboundLocalError')
                THEN 'wrong_type'
            WHEN outcome = 'raised' AND value = 'RecursionError' THEN 'too_deep'
            WHEN length(arguments) > $max_case_chars OR length(value) > $max_case_chars THEN 'too_long'
        END AS case_rule
    FROM executed
),

good AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY function_id, outcome, value
            ORDER BY length(arguments), md5(arguments)
        ) AS repetition
    FROM judged
    WHERE case_rule IS NULL
),

returned_or_few AS (
    SELECT
        *,
        -- So many may raise that they stay below their share of what is kept.
        least(
            floor($max_cases * $max_raised_share),
            floor(
                $max_raised_share / (1.0 - least($max_raised_share, 0.999999))
                * count(*) FILTER (outcome = 'returned') OVER (PARTITION BY function_id)
            )
        ) AS max_raised,
        count(*) OVER (PARTITION BY function_id) AS found_in_all,
        row_number() OVER (
            PARTITION BY function_id, outcome
            ORDER BY repetition, md5(arguments || value)
        ) AS rank_in_outcome
    FROM good
),

ranked AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY function_id
            ORDER BY repetition, outcome = 'raised', md5(arguments || value)
        ) AS position
    FROM returned_or_few
    WHERE outcome = 'returned' OR rank_in_outcome <= max_raised
),

functions_judged AS (
    SELECT
        function_id,
        CASE
            WHEN count(*) < $min_cases AND max(found_in_all) >= $min_cases THEN 'mostly_raises'
            WHEN count(*) < $min_cases THEN 'too_few_cases'
            WHEN count(DISTINCT value) FILTER (outcome = 'returned') < 2 THEN 'constant'
            WHEN
                count(DISTINCT value) < $min_distinct_outputs
                AND NOT bool_and(value_type = 'bool' OR outcome = 'raised')
                THEN 'too_few_outputs'
        END AS function_rule,
        count(*) AS found,
        count(DISTINCT value) AS outputs
    FROM ranked
    GROUP BY function_id
),

-- What a function computes is judged last: before that it has to be a sample.
functions_ruled AS (
    SELECT
        functions_judged.* EXCLUDE (function_rule),
        coalesce(functions_judged.function_rule, behaviour_drops.rule) AS function_rule,
        CASE WHEN functions_judged.function_rule IS NULL THEN behaviour_drops.reason END AS behaviour_reason
    FROM functions_judged
    LEFT JOIN behaviour_drops USING (function_id)
)

SELECT
    judged.function_id,
    judged.arguments,
    judged.origin,
    judged.outcome,
    judged.value,
    judged.value_type,
    CASE
        WHEN judged.outcome = 'raised' THEN 'exception_type'
        WHEN judged.value_type IN ('float', 'complex') THEN 'approximate'
        ELSE 'exact'
    END AS comparator,
    coalesce(
        judged.case_rule IS NULL
        AND functions_ruled.function_rule IS NULL
        AND ranked.position <= $max_candidates, FALSE
    ) AS kept,
    FALSE AS shown,
    CASE WHEN kept THEN ranked.position END AS position,
    CASE
        WHEN kept THEN NULL
        WHEN judged.case_rule IS NOT NULL THEN judged.case_rule
        -- No case of the function was left over: all of them raise.
        WHEN functions_ruled.function_id IS NULL THEN 'mostly_raises'
        ELSE coalesce(functions_ruled.function_rule, 'surplus')
    END AS rule,
    CASE
        WHEN rule IS NULL THEN NULL
        WHEN rule = 'surplus' THEN 'the sample has enough cases, or enough that raise'
        WHEN judged.case_rule = 'too_long'
            THEN length(judged.arguments) || ' and ' || length(judged.value) || ' characters'
        WHEN judged.case_rule = 'unstable' THEN 'the value depends on: ' || coalesce(judged.instability, 'unknown')
        WHEN judged.case_rule = 'version_bound' THEN 'another Python gives another result'
        WHEN judged.case_rule IS NOT NULL THEN coalesce(judged.value || ': ', '') || coalesce(judged.message, rule)
        WHEN functions_ruled.behaviour_reason IS NOT NULL THEN functions_ruled.behaviour_reason
        ELSE
            coalesce(functions_ruled.found, 0) || ' cases with '
            || coalesce(functions_ruled.outputs, 0) || ' distinct outputs'
    END AS reason
FROM judged
LEFT JOIN ranked USING (function_id, arguments)
LEFT JOIN functions_ruled ON judged.function_id = functions_ruled.function_id
ORDER BY judged.function_id, ranked.position, judged.arguments
