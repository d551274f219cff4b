-- The samples that two snapshots do not share, or hold differently by their narrow columns: how many, and the first.
WITH old AS (
    SELECT
        sample_id,
        function_name,
        repository,
        split,
        path,
        license,
        n_cases,
        n_shown,
        distinct_outputs
    FROM read_parquet($old_files)
),

new AS (
    SELECT
        sample_id,
        function_name,
        repository,
        split,
        path,
        license,
        n_cases,
        n_shown,
        distinct_outputs
    FROM read_parquet($new_files)
),

differences AS (
    SELECT
        coalesce(new.sample_id, old.sample_id) AS sample_id,
        coalesce(new.function_name, old.function_name) AS function_name,
        coalesce(new.repository, old.repository) AS repository,
        CASE
            WHEN old.sample_id IS NULL THEN 'added'
            WHEN new.sample_id IS NULL THEN 'removed'
            ELSE 'changed'
        END AS change,
        list_filter(
            [
                CASE WHEN new.split IS DISTINCT FROM old.split THEN 'split' END,
                CASE WHEN new.repository IS DISTINCT FROM old.repository THEN 'repository' END,
                CASE WHEN new.path IS DISTINCT FROM old.path THEN 'path' END,
                CASE WHEN new.license IS DISTINCT FROM old.license THEN 'licence' END,
                CASE WHEN new.n_cases IS DISTINCT FROM old.n_cases THEN 'number of cases' END,
                CASE WHEN new.n_shown IS DISTINCT FROM old.n_shown THEN 'number shown' END,
                CASE WHEN new.distinct_outputs IS DISTINCT FROM old.distinct_outputs THEN 'distinct outputs' END
            ],
            lambda what: what IS NOT NULL
        ) AS what
    FROM old
    FULL JOIN new ON old.sample_id = new.sample_id
)

SELECT
    change,
    count(*) AS samples,
    min_by(
        {'sample_id': sample_id, 'function_name': function_name, 'repository': repository, 'what': what},
        sample_id,
        50
    ) AS first
FROM differences
WHERE change <> 'changed' OR len(what) > 0
GROUP BY change
ORDER BY change
