-- What a sample says that its program does, the first $number samples by id.
SELECT
    sample_id,
    split,
    function_name,
    code,
    cases
FROM samples
ORDER BY sample_id
LIMIT $number
