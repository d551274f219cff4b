-- The texts and cases of one sample.
SELECT
    code,
    prompt,
    cases
FROM read_parquet($files)
WHERE sample_id = $sample_id
