-- *args and **kwargs say nothing of what to pass.
SELECT
    occurrence_id,
    'takes ' || list_filter(parameters, lambda p: p.kind IN ('VAR_POSITIONAL', 'VAR_KEYWORD'))[1].name AS reason
FROM candidates
WHERE len(list_filter(parameters, lambda p: p.kind IN ('VAR_POSITIONAL', 'VAR_KEYWORD'))) > 0
