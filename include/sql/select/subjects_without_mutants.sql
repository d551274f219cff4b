-- Functions with candidates whose mutants the ledger lacks.
SELECT
    functions.function_id,
    subjects.cases_hash,
    functions.name,
    functions.code,
    subjects.cases
FROM functions
INNER JOIN verdicts USING (occurrence_id)
INNER JOIN subjects ON functions.function_id = subjects.function_id
ANTI JOIN mutants ON subjects.function_id = mutants.function_id AND subjects.cases_hash = mutants.cases_hash
WHERE verdicts.kept
ORDER BY functions.function_id
