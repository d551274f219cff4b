-- How many samples each split gets.
SELECT
    split,
    count(*) AS samples
FROM unpublished
GROUP BY split
ORDER BY split
