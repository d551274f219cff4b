-- How hard each sample is for the models evaluated: the mean of their solve rates, in three bands.
WITH by_model AS (
    SELECT
        sample_id,
        model,
        model LIKE 'baseline:%' AS is_baseline,
        sum(answers) AS answers,
        sum(solved) AS solved,
        sum(solved) / sum(answers) AS rate
    FROM solved
    GROUP BY sample_id, model
)

SELECT
    sample_id,
    list(model ORDER BY model) AS models,
    sum(answers)::BIGINT AS answers,
    sum(solved)::BIGINT AS solved,
    avg(rate) FILTER (NOT is_baseline) AS solve_rate,
    bool_or(rate > 0) FILTER (is_baseline) AS solved_by_baseline,
    CASE
        WHEN solve_rate IS NULL THEN NULL
        WHEN solve_rate >= 2 / 3 THEN 'easy'
        WHEN solve_rate > 1 / 3 THEN 'medium'
        ELSE 'hard'
    END AS band
FROM by_model
GROUP BY sample_id
ORDER BY sample_id
