-- What the narrow columns say of one sample: its texts fill nearly all of a row group, which is read as a whole.
SELECT * EXCLUDE (code, prompt, completion, cases)
FROM read_parquet($files)
WHERE sample_id = $sample_id
