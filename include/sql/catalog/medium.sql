-- The samples of the newest day that models solve at more than one try of three, and at less than two.
CREATE VIEW medium AS
SELECT
    samples.*,
    difficulty.solve_rate,
    difficulty.by_model
FROM read_parquet($latest) AS samples
INNER JOIN difficulty USING (sample_id)
WHERE difficulty.band = 'medium'
