-- Every version, oldest first; date is the first day that had its content.
CREATE TABLE snapshots AS
SELECT *
FROM found_snapshots
ORDER BY date, version
