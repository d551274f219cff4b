-- Candidates of the next rule: extracted functions that no earlier rule has dropped.
CREATE OR REPLACE TEMP VIEW candidates AS
SELECT functions.*
FROM functions
ANTI JOIN dropped USING (occurrence_id)
WHERE functions.drop_rule IS NULL
