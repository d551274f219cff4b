-- Samples whose cases all have one result.
SELECT
    sample_id,
    'every case gives ' || coalesce(cases[1].value, 'nothing') AS reason
FROM samples
WHERE len(list_distinct(list_transform(cases, lambda c: c.outcome || ' ' || c.value))) < 2
ORDER BY sample_id
