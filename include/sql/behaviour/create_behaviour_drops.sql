-- Kept functions that the recipe does not want for what they compute: twins of benchmarks; and of functions that
-- compute the same all but the oldest, which is the first by place among equals.
CREATE OR REPLACE TEMP TABLE behaviour_drops AS
WITH ranked AS (
    SELECT
        functions.function_id,
        behaviours.behaviour_id,
        functions.repository || ' ' || functions.path || ':' || functions.start_line AS place,
        row_number() OVER (
            ORDER BY
                functions.committed_at, functions.repository, functions.path, functions.start_line,
                functions.occurrence_id
        ) AS rank
    FROM behaviours
    INNER JOIN verdicts ON behaviours.function_id = verdicts.function_id AND verdicts.kept
    INNER JOIN functions ON verdicts.occurrence_id = functions.occurrence_id
    WHERE
        $same_behaviour = 'drop'
        AND ($twins = 'mark' OR functions.function_id NOT IN (SELECT function_id FROM benchmark_twins))
),

oldest AS (
    SELECT
        behaviour_id,
        arg_min(function_id, rank) AS function_id,
        arg_min(place, rank) AS place
    FROM ranked
    GROUP BY behaviour_id
),

duplicates AS (
    SELECT DISTINCT
        ranked.function_id,
        'computes the same as ' || oldest.place AS reason
    FROM ranked
    INNER JOIN oldest USING (behaviour_id)
    WHERE ranked.function_id <> oldest.function_id
)

SELECT
    function_id,
    'benchmark_twin' AS rule,
    'computes the same as ' || task AS reason
FROM benchmark_twins
WHERE $twins = 'drop'
UNION ALL
SELECT
    function_id,
    'behaviour_duplicate',
    reason
FROM duplicates
ORDER BY function_id
