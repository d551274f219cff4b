-- The samples of one version: its name, a day like '2026-11-19', or 'latest'.
CREATE MACRO samples_at(version) AS TABLE
    SELECT *
    FROM read_parquet(coalesce($files[version], error('no snapshot ' || version || '; the table snapshots lists them')))
