-- One row for each function with candidates: their outputs in order, and by mutant the positions of those that kill it.
WITH killers AS (
    SELECT
        judged_cases.function_id,
        killed.number,
        list(judged_cases.position ORDER BY judged_cases.position) AS positions
    FROM (
        SELECT
            mutants.function_id,
            mutant.number,
            unnest(mutant.killed_by) AS arguments
        FROM mutants
        SEMI JOIN subjects USING (function_id, cases_hash), unnest(mutants.mutants) AS of_function (mutant)
    ) AS killed
    INNER JOIN judged_cases USING (function_id, arguments)
    WHERE judged_cases.kept
    GROUP BY judged_cases.function_id, killed.number
),

kills AS (
    SELECT
        function_id,
        list(positions ORDER BY number) AS killed_at
    FROM killers
    GROUP BY function_id
)

SELECT
    subjects.function_id,
    function_splits.split,
    list_transform(subjects.cases, lambda c: c.outcome || ' ' || c.value) AS outputs,
    len(mutants.mutants)::INTEGER AS mutants,
    kills.killed_at
FROM subjects
INNER JOIN function_splits USING (function_id)
LEFT JOIN mutants ON subjects.function_id = mutants.function_id AND subjects.cases_hash = mutants.cases_hash
LEFT JOIN kills ON subjects.function_id = kills.function_id
ORDER BY subjects.function_id
