-- How many executed inputs of a day there are, and what is kept of them.
SELECT
    count(*) AS executions,
    count(*) FILTER (kept) AS cases,
    count(DISTINCT function_id) FILTER (kept) AS samples
FROM cases
