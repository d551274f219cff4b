-- The samples of the newest day that models solve at one try of three at most; where solve_rate is 0, at none.
CREATE VIEW hard AS
SELECT
    samples.*,
    difficulty.solve_rate,
    difficulty.by_model
FROM read_parquet($latest) AS samples
INNER JOIN difficulty USING (sample_id)
WHERE difficulty.band = 'hard'
