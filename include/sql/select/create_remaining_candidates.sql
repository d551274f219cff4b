-- Candidates of the next rule, from those that remain.
CREATE OR REPLACE TEMP VIEW candidates AS
SELECT *
FROM remaining
