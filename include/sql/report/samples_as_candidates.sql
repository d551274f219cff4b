-- The rows of a snapshot as `select/revoked` reads functions.
SELECT
    sample_id AS occurrence_id,
    function_id,
    repository,
    license
FROM samples
