-- Only licences of the list; of an expression with OR one alternative is enough, with AND all its parts must be listed.
-- One with parentheses is dropped: without a parser, `(A OR MIT OR B) AND GPL-3.0-only` would look like MIT.
SELECT
    occurrence_id,
    coalesce(license || ' is not on the list', 'no licence is stated') AS reason
FROM candidates
WHERE
    license IS NULL
    OR contains(license, '(')
    OR NOT list_bool_or(
        list_transform(string_split(license, ' OR '), lambda part: list_has_all($allowed, string_split(part, ' AND ')))
    )
