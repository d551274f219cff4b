-- The samples of the newest day.
CREATE VIEW samples AS
SELECT *
FROM read_parquet($latest)
