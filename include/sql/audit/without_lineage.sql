-- Samples that do not lead back to lines of a file of a revision of a repository, with its licence and address.
SELECT
    sample_id,
    coalesce(repository, 'no repository') || ' ' || coalesce(revision, 'no revision') || ' '
    || coalesce(path, 'no path') || ':' || coalesce(start_line::VARCHAR, 'no line') AS reason
FROM samples
WHERE
    nullif(repository, '') IS NULL
    OR nullif(revision, '') IS NULL
    OR nullif(path, '') IS NULL
    OR nullif(license, '') IS NULL
    OR nullif(url, '') IS NULL
    OR start_line IS NULL
    OR end_line IS NULL
    OR start_line < 1
    OR end_line < start_line
ORDER BY sample_id
