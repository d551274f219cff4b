-- What computes the same is either trained on or held out.
SELECT
    min(samples.sample_id) AS sample_id,
    'functions that compute the same are in both splits' AS reason
FROM samples
INNER JOIN behaviours USING (function_id)
GROUP BY behaviours.behaviour_id
HAVING count(DISTINCT samples.split) > 1
