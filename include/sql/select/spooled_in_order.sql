-- The samples of one part of a split, in order.
SELECT *
FROM spooled
ORDER BY sample_id
