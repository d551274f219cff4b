-- Some samples of a snapshot, chosen by a hash of their ids.
SELECT
    sample_id,
    function_name,
    code,
    cases
FROM samples
ORDER BY md5(sample_id)
LIMIT $samples
