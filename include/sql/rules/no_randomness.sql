-- No randomness: a second run would give another output.
SELECT
    occurrence_id,
    'uses ' || array_to_string(used, ', ') AS reason
FROM (
    SELECT
        occurrence_id,
        list_sort(list_intersect(
            list_distinct(list_concat(list_transform(imports, lambda m: split_part(m, '.', 1)), undefined_names)),
            [
                'SystemRandom', 'getrandbits', 'randint', 'random', 'randrange', 'secrets', 'shuffle', 'urandom',
                'uuid', 'uuid1', 'uuid4'
            ]
        )) AS used
    FROM candidates
)
WHERE len(used) > 0
