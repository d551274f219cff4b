-- Kept functions of some buckets that the writer's ledger misses. The writer is asked about those that the writers
-- before it have left below the minima (null: about all; what nobody tried is below), and of a day about at most
-- $max_functions. A bucket's share of these is what a hash of all kept functions gives it: so a shard need not know
-- what the others found, and a re-run asks about the same ones.
WITH kept AS (
    SELECT
        occurrence_id,
        function_id,
        function_id[1] AS bucket
    FROM verdicts
    WHERE kept
),

shares AS (
    SELECT
        bucket,
        count(*) AS functions
    FROM (
        SELECT bucket
        FROM kept
        QUALIFY $max_functions IS NULL OR row_number() OVER (ORDER BY md5(function_id)) <= $max_functions
    )
    GROUP BY bucket
),

known AS (
    SELECT
        function_id,
        any_value(reached) AS reached
    FROM inputs_before
    WHERE reached IS NOT NULL
    GROUP BY function_id
),

short AS (
    SELECT
        kept.*,
        known.reached
    FROM kept
    LEFT JOIN known USING (function_id)
    WHERE
        list_contains($buckets, kept.bucket)
        AND (
            $min_returned IS NULL
            OR known.reached IS NULL
            OR known.reached.returned < $min_returned
            OR known.reached.distinct_outputs < $min_distinct_outputs
            OR len(known.reached.lines) < $min_line_coverage * (
                len(known.reached.lines) + len(known.reached.missed_lines)
            )
        )
),

chosen AS (
    SELECT short.*
    FROM short
    INNER JOIN shares USING (bucket)
    QUALIFY row_number() OVER (PARTITION BY short.bucket ORDER BY md5(short.function_id)) <= shares.functions
)

SELECT
    functions.function_id,
    functions.name,
    functions.code,
    functions.parameters,
    functions.seeds,
    chosen.reached
FROM functions
INNER JOIN chosen USING (occurrence_id)
ANTI JOIN inputs ON functions.function_id = inputs.function_id
ORDER BY functions.function_id
