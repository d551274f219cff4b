-- How many samples each split gets.
SELECT
    split,
    count(*) AS samples
FROM spooled
GROUP BY split
ORDER BY split
