-- The samples hold the cases that were kept and nothing else: as many, and the same ones, by a sum of hashes.
WITH published AS (
    SELECT
        count(*) AS cases,
        coalesce(sum(hash(function_id, case_.arguments, case_.outcome, case_.value, case_.shown)), 0) AS content
    FROM (
        SELECT
            function_id,
            unnest(cases) AS case_
        FROM samples
    )
),

executed AS (
    SELECT
        count(*) AS cases,
        coalesce(sum(hash(function_id, arguments, outcome, value, shown)), 0) AS content
    FROM cases
    ANTI JOIN left_out USING (function_id)
    WHERE kept
)

SELECT
    'the snapshot' AS sample_id,
    'has ' || published.cases || ' cases, and ' || executed.cases || ' were kept' AS reason
FROM published, executed
WHERE published.cases <> executed.cases OR published.content <> executed.content
