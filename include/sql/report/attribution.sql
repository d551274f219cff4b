-- Where the samples of a snapshot come from.
SELECT
    repository,
    revision,
    license,
    split,
    count(*) AS samples,
    min(split_part(url, '#', 1)) AS url
FROM samples
GROUP BY repository, revision, license, split
ORDER BY repository, revision, license
