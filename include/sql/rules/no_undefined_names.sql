-- The code must run on its own: names from the rest of its module are missing there.
SELECT
    occurrence_id,
    'needs ' || array_to_string(undefined_names[1:5], ', ') AS reason
FROM candidates
WHERE len(undefined_names) > 0
