-- The functions that the rules so far have left, with the columns that the next ones read.
CREATE OR REPLACE TEMP TABLE remaining AS
SELECT COLUMNS(lambda name: list_contains($columns, name))
FROM candidates
