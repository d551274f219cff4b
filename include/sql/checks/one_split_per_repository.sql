-- A repository is either trained on or held out.
SELECT
    any_value(sample_id) AS sample_id,
    repository || ' is in both splits' AS reason
FROM samples
GROUP BY repository
HAVING count(DISTINCT split) > 1
