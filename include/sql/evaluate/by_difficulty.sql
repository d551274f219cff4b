-- pass@1 of each evaluation on the samples of each band of difficulty that it has answers to.
SELECT
    solved.evaluation,
    difficulty.band,
    count(*) AS tasks,
    avg(solved.solved / solved.answers) AS pass_at_1
FROM solved
INNER JOIN difficulty USING (sample_id)
WHERE difficulty.band IS NOT NULL
GROUP BY solved.evaluation, difficulty.band
ORDER BY solved.evaluation, difficulty.band
