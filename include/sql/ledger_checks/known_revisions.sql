-- Every sample comes from a file of a revision that the day has read.
SELECT
    samples.sample_id,
    samples.path || ' of ' || samples.repository || ' at ' || samples.revision
    || ' is not what the day has read' AS reason
FROM samples
ANTI JOIN files
    ON
        samples.repository = files.repository
        AND samples.revision = files.revision
        AND samples.path = files.path
