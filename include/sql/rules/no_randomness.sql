-- No randomness: a second run would give another output.
SELECT
    occurrence_id,
    'uses ' || string_agg(DISTINCT name, ', ' ORDER BY name) AS reason
FROM (
    SELECT
        occurrence_id,
        split_part(unnest(list_concat(imports, undefined_names)), '.', 1) AS name
    FROM candidates
)
WHERE
    name IN (
        'SystemRandom', 'getrandbits', 'randint', 'random', 'randrange', 'secrets', 'shuffle', 'urandom',
        'uuid', 'uuid1', 'uuid4'
    )
GROUP BY occurrence_id
