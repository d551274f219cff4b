-- No input, output, dynamic code or look into the interpreter: such a call's result is not a function of its arguments.
SELECT
    occurrence_id,
    'uses ' || array_to_string(list_intersect(builtins_used, $builtins), ', ') AS reason
FROM candidates
WHERE list_has_any(builtins_used, $builtins)
