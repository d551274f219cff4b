-- What a rule has dropped does not remain.
DELETE FROM remaining
WHERE occurrence_id IN (SELECT dropped.occurrence_id FROM dropped WHERE dropped.rule = $rule)
