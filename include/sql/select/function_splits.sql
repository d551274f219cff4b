-- The split of each kept function, by its repository: named in the recipe, or chosen by a hash of the name.
SELECT
    functions.function_id,
    CASE
        WHEN
            list_contains($test_repositories, functions.repository)
            OR ('0x' || md5(functions.repository)[1:8])::UBIGINT < $test_share * 4294967296
            THEN 'test'
        ELSE 'train'
    END AS split
FROM functions
INNER JOIN verdicts USING (occurrence_id)
WHERE verdicts.kept
