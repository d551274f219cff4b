-- The functions that remain, with other columns.
CREATE OR REPLACE TEMP TABLE remaining AS
SELECT COLUMNS(lambda name: list_contains($columns, name))
FROM functions
SEMI JOIN remaining USING (occurrence_id)
