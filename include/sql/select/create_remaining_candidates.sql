-- Candidates of the next rule, from those that the cheap rules have left.
CREATE OR REPLACE TEMP VIEW candidates AS
SELECT remaining.*
FROM remaining
ANTI JOIN dropped USING (occurrence_id)
