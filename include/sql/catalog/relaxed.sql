-- All samples of the newest day, each with the reasons why it is not in the view strict.
CREATE VIEW relaxed AS
SELECT
    *,
    concat_ws(
        ', ',
        CASE WHEN benchmark_twin IS NOT NULL THEN 'benchmark_twin' END,
        CASE WHEN coalesce(line_coverage, 0) < 0.9 THEN 'line_coverage' END,
        CASE WHEN mutants_killed IS NULL OR mutants_killed_shown < mutants_killed THEN 'mutants' END
    ) AS not_strict
FROM read_parquet($latest)
