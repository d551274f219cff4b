-- What no later stage fills is there in every row: code, prompt, provenance, licence.
SELECT
    coalesce(sample_id, 'a row without sample_id') AS sample_id,
    'has an empty column' AS reason
FROM samples
WHERE
    sample_id IS NULL
    OR nullif(code, '') IS NULL
    OR nullif(prompt, '') IS NULL
    OR nullif(completion, '') IS NULL
    OR nullif(repository, '') IS NULL
    OR nullif(revision, '') IS NULL
    OR nullif(path, '') IS NULL
    OR license IS NULL
    OR committed_at IS NULL
    OR coalesce(split, '') NOT IN ('train', 'test')
