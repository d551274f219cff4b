-- Functions that must not be published any more. Of a licence with OR, every alternative has to be revoked.
SELECT
    candidates.occurrence_id,
    min('the ' || revocations.kind || ' ' || revocations.value || ' is revoked: ' || revocations.reason) AS reason
FROM candidates
CROSS JOIN revocations
WHERE
    CASE revocations.kind
        WHEN 'repository' THEN candidates.repository = revocations.value
        WHEN 'function' THEN candidates.function_id = revocations.value
        ELSE
            list_bool_and(
                list_transform(
                    string_split(candidates.license, ' OR '),
                    lambda part: list_contains(string_split(trim(part, '()'), ' AND '), revocations.value)
                )
            )
    END
GROUP BY candidates.occurrence_id
