-- How many samples to train on the exports leave out: the recipe keeps them, marked as a benchmark's task.
SELECT count(*) AS samples
FROM samples
WHERE
    split = 'train'
    AND benchmark_twin IS NOT NULL
