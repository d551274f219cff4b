-- The executed inputs after the choice: what is left out is surplus, or its function is under-determined.
SELECT
    judged_cases.* REPLACE (
        chosen.position IS NOT NULL AS kept,
        coalesce(chosen.shown, FALSE) AS shown,
        chosen.position::INTEGER AS position,
        CASE
            WHEN NOT judged_cases.kept THEN judged_cases.rule
            WHEN chosen.position IS NOT NULL THEN NULL
            WHEN under_determined.function_id IS NOT NULL THEN 'under_determined'
            ELSE 'surplus'
        END AS rule,
        CASE
            WHEN NOT judged_cases.kept THEN judged_cases.reason
            WHEN chosen.position IS NOT NULL THEN NULL
            WHEN under_determined.function_id IS NOT NULL THEN under_determined.reason
            ELSE 'the sample has enough cases, or enough that raise'
        END AS reason
    )
FROM judged_cases
LEFT JOIN chosen
    ON judged_cases.kept AND judged_cases.function_id = chosen.function_id AND judged_cases.position = chosen.candidate
LEFT JOIN under_determined ON judged_cases.function_id = under_determined.function_id
ORDER BY judged_cases.function_id, chosen.position, judged_cases.arguments
