-- Imports inside the function stay within a list of harmless, deterministic modules.
SELECT
    occurrence_id,
    'imports ' || array_to_string(list_filter(imports, lambda m: NOT list_contains($allowed, m)), ', ') AS reason
FROM candidates
WHERE NOT list_has_all($allowed, imports)
