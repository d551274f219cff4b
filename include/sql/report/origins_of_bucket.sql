-- What the inputs of the kept functions of a ledger bucket are worth, by origin: how many return, in how many functions
-- they reach lines, branches or outputs that no other free origin reaches (free: no prompt was paid for), and what
-- that cost.
WITH mine AS (
    SELECT
        inputs.*,
        inputs.prompt_hash IS NULL AS is_free
    FROM inputs
    SEMI JOIN (
        SELECT function_id
        FROM verdicts
        WHERE kept
    ) USING (function_id)
),

given AS (
    SELECT DISTINCT
        function_id,
        is_free,
        unnest(arguments) AS arguments,
        coalesce(unnest(origins), origin) AS origin
    FROM mine
),

ran AS (
    SELECT
        given.*,
        executions.outcome = 'returned' AND executions.stable AS is_returned,
        executions.value,
        executions.lines,
        executions.branches
    FROM given
    INNER JOIN executions USING (function_id, arguments)
),

facts AS (
    SELECT DISTINCT
        function_id,
        origin,
        is_free,
        'line' AS kind,
        unnest(lines)::VARCHAR AS fact
    FROM ran
    UNION ALL
    SELECT DISTINCT
        function_id,
        origin,
        is_free,
        'branch',
        unnest(branches)::VARCHAR
    FROM ran
    UNION ALL
    SELECT DISTINCT
        function_id,
        origin,
        is_free,
        'output',
        value
    FROM ran
    WHERE is_returned
),

new_facts AS (
    SELECT *
    FROM facts
    QUALIFY count(*) FILTER (is_free) OVER (PARTITION BY function_id, kind, fact) = is_free::INTEGER
),

added AS (
    SELECT
        origin,
        count(DISTINCT function_id) FILTER (kind = 'line') AS functions_with_new_lines,
        count(DISTINCT function_id) FILTER (kind = 'branch') AS functions_with_new_branches,
        count(DISTINCT function_id) FILTER (kind = 'output') AS functions_with_new_outputs,
        count(*) FILTER (kind = 'branch') AS new_branches
    FROM new_facts
    GROUP BY origin
),

returned AS (
    SELECT
        origin,
        count(*) AS executed,
        count(*) FILTER (is_returned) AS returned
    FROM ran
    GROUP BY origin
),

written AS (
    SELECT
        origin,
        count(DISTINCT function_id) AS functions,
        count(*) AS inputs
    FROM given
    GROUP BY origin
),

asked AS (
    SELECT
        origin,
        count(*) AS functions,
        sum(tokens_in + tokens_out)::BIGINT AS tokens,
        sum(cost_usd) AS cost_usd
    FROM mine
    WHERE NOT is_free
    GROUP BY origin
),

paid AS (
    SELECT
        coalesce(asked.origin, written.origin) AS origin,
        coalesce(asked.functions, written.functions) AS functions,
        coalesce(written.inputs, 0) AS inputs,
        coalesce(asked.tokens, 0) AS tokens,
        coalesce(asked.cost_usd, 0.0) AS cost_usd
    FROM asked
    FULL JOIN written USING (origin)
)

SELECT
    paid.origin,
    paid.functions,
    paid.inputs,
    coalesce(returned.executed, 0) AS executed,
    coalesce(returned.returned, 0) AS returned,
    coalesce(added.functions_with_new_lines, 0) AS functions_with_new_lines,
    coalesce(added.functions_with_new_branches, 0) AS functions_with_new_branches,
    coalesce(added.functions_with_new_outputs, 0) AS functions_with_new_outputs,
    coalesce(added.new_branches, 0) AS new_branches,
    paid.tokens,
    paid.cost_usd
FROM paid
LEFT JOIN returned USING (origin)
LEFT JOIN added USING (origin)
ORDER BY paid.origin
