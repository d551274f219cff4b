-- Functions that must not be published any more. Of a licence with OR, every alternative has to be revoked; one with
-- parentheses goes with any licence that it names, since nothing here can tell its alternatives apart.
WITH revoked_licenses AS (
    SELECT list(value) AS names
    FROM revocations
    WHERE kind = 'license'
)

SELECT
    candidates.occurrence_id,
    min('the ' || revocations.kind || ' ' || revocations.value || ' is revoked: ' || revocations.reason) AS reason
FROM candidates
CROSS JOIN revocations
CROSS JOIN revoked_licenses
WHERE
    CASE revocations.kind
        WHEN 'repository' THEN candidates.repository = revocations.value
        WHEN 'function' THEN candidates.function_id = revocations.value
        ELSE
            list_contains(regexp_extract_all(candidates.license, '[^ ()]+'), revocations.value)
            AND (
                contains(candidates.license, '(')
                OR list_bool_and(
                    list_transform(
                        string_split(candidates.license, ' OR '),
                        lambda part: list_has_any(string_split(part, ' AND '), revoked_licenses.names)
                    )
                )
            )
    END
GROUP BY candidates.occurrence_id
