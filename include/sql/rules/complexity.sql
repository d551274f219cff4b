-- Not so many paths that a handful of cases could never show them.
SELECT
    occurrence_id,
    'has a cyclomatic complexity of ' || cyclomatic_complexity AS reason
FROM candidates
WHERE cyclomatic_complexity > $max_cyclomatic_complexity
