-- How many of what each stage left of a day, in order.
SELECT
    stage,
    rows
FROM (
    VALUES
    (1, 'repositories', (SELECT count(*) FROM repositories WHERE drop_rule IS NULL)),
    (2, 'files', (SELECT count(*) FROM files WHERE drop_rule IS NULL)),
    (3, 'functions', (SELECT count(*) FROM functions WHERE drop_rule IS NULL)),
    (4, 'kept', (SELECT count(*) FROM verdicts WHERE kept)),
    (5, 'inputs', (
        SELECT count(*)
        FROM (
            SELECT DISTINCT
                inputs.function_id,
                unnest(inputs.arguments)
            FROM inputs
            SEMI JOIN (
                SELECT function_id
                FROM verdicts
                WHERE kept
            ) USING (function_id)
        )
    )),
    (6, 'executions', (SELECT count(*) FROM cases)),
    (7, 'cases', (SELECT count(*) FROM cases WHERE kept)),
    (8, 'samples', (SELECT count(DISTINCT function_id) FROM cases WHERE kept))
) AS funnel (place, stage, rows)
ORDER BY place
