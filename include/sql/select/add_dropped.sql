-- What a rule has found is dropped by that rule.
INSERT INTO dropped
SELECT
    occurrence_id,
    $rule,
    reason
FROM found
