-- How many of what each stage left of a day, in order; $inputs is counted bucket by bucket.
SELECT
    stage,
    rows
FROM (
    VALUES
    (1, 'repositories', (SELECT count(*) FROM repositories WHERE drop_rule IS NULL)),
    (2, 'files', (SELECT count(*) FROM files WHERE drop_rule IS NULL)),
    (3, 'functions', (SELECT count(*) FROM functions WHERE drop_rule IS NULL)),
    (4, 'kept', (SELECT count(*) FROM verdicts WHERE kept)),
    (5, 'inputs', $inputs),
    (6, 'executions', (SELECT count(*) FROM cases)),
    (7, 'cases', (SELECT count(*) FROM cases WHERE kept)),
    (8, 'samples', (
        SELECT count(DISTINCT cases.function_id)
        FROM cases
        ANTI JOIN left_out USING (function_id)
        WHERE cases.kept
    ))
) AS funnel (place, stage, rows)
ORDER BY place
