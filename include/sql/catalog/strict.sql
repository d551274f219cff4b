-- The samples of the newest day that are no benchmark's task, whose cases run 90 % of the lines, and whose shown cases
-- tell the function from every mutant that any case tells apart.
CREATE VIEW strict AS
SELECT *
FROM read_parquet($latest)
WHERE
    benchmark_twin IS NULL
    AND line_coverage >= 0.9
    AND mutants_killed_shown = mutants_killed
