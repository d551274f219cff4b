-- How many rows each rule dropped on each day, with one reason as an example.
CREATE TABLE drops AS
SELECT *
FROM found_drops
