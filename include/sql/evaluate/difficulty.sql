-- How hard each sample is for the models evaluated: what each solved, and the mean of their rates in three bands.
WITH models AS (
    SELECT
        sample_id,
        model,
        model LIKE 'baseline:%' AS is_baseline,
        sum(answers)::BIGINT AS answers,
        sum(solved)::BIGINT AS solved,
        sum(solved) / sum(answers) AS rate
    FROM solved
    GROUP BY sample_id, model
)

SELECT
    sample_id,
    list({'model': model, 'answers': answers, 'solved': solved, 'solve_rate': rate} ORDER BY model) AS by_model,
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
FROM models
GROUP BY sample_id
ORDER BY sample_id
