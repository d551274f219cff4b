-- What became of the rows of one snapshot in the next, by cause: of a removed one the rule that dropped its function,
-- of a changed one the columns.
SELECT
    change,
    coalesce(rule, columns, 'new') AS rule,
    count(*) AS samples,
    min(coalesce(reason, repository)) AS example,
    min(function_id) AS function_id
FROM differences
GROUP BY ALL
ORDER BY change DESC, samples DESC, rule
