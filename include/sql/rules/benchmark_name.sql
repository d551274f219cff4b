-- Not called like a task of a benchmark, with as many parameters, and not from the files of a benchmark.
WITH called_alike AS (
    SELECT
        candidates.occurrence_id,
        'is called like ' || benchmarks.task AS reason
    FROM candidates
    INNER JOIN benchmarks
        ON
            lower(candidates.name) = lower(benchmarks.name)
            AND len(candidates.parameters) = benchmarks.parameters
),

beside_benchmark AS (
    SELECT
        candidates.occurrence_id,
        'comes from files of ' || names.benchmark AS reason
    FROM candidates
    INNER JOIN (
        SELECT DISTINCT
            benchmark,
            regexp_replace(lower(benchmark), '[^a-z0-9]', '', 'g') AS letters
        FROM benchmarks
    ) AS names
        ON
            contains(
                regexp_replace(lower(candidates.repository || '/' || candidates.path), '[^a-z0-9/]', '', 'g'),
                names.letters
            )
)

SELECT
    occurrence_id,
    min(reason) AS reason
FROM (
    FROM called_alike
    UNION ALL
    FROM beside_benchmark
)
GROUP BY occurrence_id
