-- One row per sample that has scored answers: how many were right, and the groups that it is counted in.
SELECT
    questions.sample_id,
    $model AS model,
    $evaluation AS evaluation,
    count(*) AS answers,
    count(*) FILTER (scores.solved) AS solved,
    count(*) FILTER (scores.solved_shown) AS solved_shown,
    count(*) FILTER (scores.solved_hidden) AS solved_hidden,
    CASE
        WHEN questions.loc <= 5 THEN '1 to 5 lines'
        WHEN questions.loc <= 15 THEN '6 to 15 lines'
        ELSE 'over 15 lines'
    END AS length,
    CASE
        WHEN questions.cyclomatic_complexity <= 2 THEN '1 to 2'
        WHEN questions.cyclomatic_complexity <= 5 THEN '3 to 5'
        ELSE 'over 5'
    END AS complexity,
    coalesce(questions.license, 'unknown') AS license,
    coalesce(questions.origin, 'unknown') AS origin
FROM questions
INNER JOIN scores USING (sample_id)
GROUP BY questions.sample_id, questions.loc, questions.cyclomatic_complexity, questions.license, questions.origin
ORDER BY questions.sample_id
