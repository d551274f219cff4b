-- The shown cases of a held-out sample kill every mutant that any case kills, those of the others nine in ten.
SELECT
    sample_id,
    'its shown cases kill ' || mutants_killed_shown || ' of ' || mutants_killed || ' mutants' AS reason
FROM samples
WHERE
    mutants_killed > mutants
    OR mutants_killed_shown > mutants_killed
    OR mutants_killed_shown < mutants_killed * CASE WHEN split = 'test' THEN 1.0 ELSE 0.9 END
    OR (split = 'test' AND mutants_killed_shown IS NULL)
