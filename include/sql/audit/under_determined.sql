-- Held-out samples of which the snapshot itself says that the shown cases leave a mutant alive that a case kills, or
-- does not say.
SELECT
    sample_id,
    'the shown cases kill ' || coalesce(mutants_killed_shown::VARCHAR, 'an unknown number') || ' of '
    || coalesce(mutants_killed::VARCHAR, 'unknown') || ' mutants' AS reason
FROM samples
WHERE split = 'test' AND coalesce(mutants_killed_shown <> mutants_killed, TRUE)
ORDER BY sample_id
