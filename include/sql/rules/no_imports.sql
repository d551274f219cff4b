-- What the code imports, at its top or inside a function, stays within a list of modules.
SELECT
    occurrence_id,
    'imports ' || array_to_string(list_filter(imports, lambda m: NOT list_contains($allowed, m)), ', ') AS reason
FROM candidates
WHERE NOT list_has_all($allowed, imports)
