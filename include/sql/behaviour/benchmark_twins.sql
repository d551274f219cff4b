-- Functions of a bucket that compute the same as a benchmark's reference solution: on each of its inputs, and on all of
-- their own that both take. Few cases, or few different outputs, prove nothing.
WITH trials AS (
    SELECT
        alike.function_id,
        benchmark_references.task,
        benchmark_references.inputs,
        mine.outputs AS mine,
        theirs.outputs AS theirs
    FROM alike
    INNER JOIN benchmark_references USING (program_id)
    INNER JOIN own_inputs ON alike.function_id = own_inputs.function_id
    INNER JOIN probes AS theirs
        ON
            alike.function_id = theirs.function_id
            AND alike.program_id = theirs.program_id
            AND theirs.probe_set = md5(benchmark_references.probe_set || own_inputs.own_hash)
    INNER JOIN probes AS mine
        ON
            theirs.function_id = mine.function_id
            AND theirs.function_id = mine.program_id
            AND theirs.probe_set = mine.probe_set
),

calls AS (
    SELECT
        function_id,
        task,
        inputs,
        unnest(range(len(mine))) AS position,
        unnest(mine) AS mine,
        unnest(theirs) AS theirs
    FROM trials
),

twins AS (
    SELECT
        function_id,
        task
    FROM calls
    GROUP BY function_id, task
    HAVING
        count(*) FILTER (position < inputs AND theirs IS NOT NULL AND mine IS DISTINCT FROM theirs) = 0
        AND count(*) FILTER (mine <> theirs) = 0
        AND count(*) FILTER (position >= inputs AND mine = theirs) > 0
        AND count(*) FILTER (mine = theirs) >= $min_returned
        AND count(DISTINCT mine) FILTER (mine = theirs) >= $min_distinct_outputs
)

SELECT
    function_id,
    min(task) AS task
FROM twins
GROUP BY function_id
