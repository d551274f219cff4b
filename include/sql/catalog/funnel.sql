-- How many rows each stage left of each day.
CREATE TABLE funnel AS
SELECT *
FROM found_funnel
ORDER BY date, place
