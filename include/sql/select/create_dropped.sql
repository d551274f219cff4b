-- What the rules have dropped so far.
CREATE OR REPLACE TEMP TABLE dropped (occurrence_id VARCHAR, rule VARCHAR, reason VARCHAR)
