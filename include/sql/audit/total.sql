-- How many samples the snapshot has.
SELECT count(*) AS samples
FROM samples
