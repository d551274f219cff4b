-- The rows of a snapshot that are revoked since, by what revokes them.
SELECT
    revocations.kind,
    revocations.value,
    count(*) AS samples
FROM samples
CROSS JOIN revocations
WHERE
    CASE revocations.kind
        WHEN 'repository' THEN samples.repository = revocations.value
        WHEN 'function' THEN samples.function_id = revocations.value
        ELSE
            list_bool_and(
                list_transform(
                    string_split(samples.license, ' OR '),
                    lambda part: list_contains(string_split(trim(part, '()'), ' AND '), revocations.value)
                )
            )
    END
GROUP BY revocations.kind, revocations.value
ORDER BY revocations.kind, revocations.value
