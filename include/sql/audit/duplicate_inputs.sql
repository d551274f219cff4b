-- Samples that show or hide the same input twice.
SELECT
    sample_id,
    len(cases) - len(list_distinct(list_transform(cases, lambda c: c.arguments))) || ' inputs are there twice' AS reason
FROM samples
WHERE len(list_distinct(list_transform(cases, lambda c: c.arguments))) < len(cases)
ORDER BY sample_id
