-- Outputs are the labels: a function without a value to return has none.
SELECT
    occurrence_id,
    'never returns a value' AS reason
FROM candidates
WHERE NOT returns_value
