-- The functions that the cheap rules have left.
CREATE OR REPLACE TEMP TABLE remaining AS
SELECT *
FROM candidates
