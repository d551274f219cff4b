-- A sample and a function are in a snapshot once.
SELECT
    sample_id,
    'is there ' || count(*) OVER same_sample || ' times, its function ' || count(*) OVER same_function AS reason
FROM samples
WINDOW same_sample AS (PARTITION BY sample_id), same_function AS (PARTITION BY function_id)
QUALIFY count(*) OVER same_sample > 1 OR count(*) OVER same_function > 1
