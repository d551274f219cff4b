-- Cases are distinct, some are shown and some are hidden, and the outputs differ.
SELECT
    sample_id,
    'has ' || n_cases || ' cases, ' || n_shown || ' shown, ' || distinct_outputs || ' distinct outputs' AS reason
FROM samples
WHERE
    n_cases <> len(cases)
    OR n_cases <> len(list_distinct(list_transform(cases, lambda c: c.arguments)))
    OR n_shown NOT BETWEEN 1 AND n_cases - 1
    OR n_shown <> len(list_filter(cases, lambda c: c.shown))
    OR distinct_outputs < 2
