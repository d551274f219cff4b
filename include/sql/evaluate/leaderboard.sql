-- All evaluations of the snapshot, the best first.
SELECT *
FROM results
ORDER BY pass_at_1 DESC, model, evaluation
