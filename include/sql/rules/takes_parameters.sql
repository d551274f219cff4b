-- A function is learnt from its inputs: it takes parameters, but not so many that no reader can follow.
SELECT
    occurrence_id,
    'takes ' || len(parameters) || ' parameters' AS reason
FROM candidates
WHERE len(parameters) NOT BETWEEN $min_parameters AND $max_parameters
