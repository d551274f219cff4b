-- The samples of one file of a split, in order.
SELECT *
FROM unpublished
WHERE split = $split
ORDER BY sample_id
LIMIT $number OFFSET $skipped
