-- The samples of the newest day that models solve at two tries of three or more.
CREATE VIEW easy AS
SELECT
    samples.*,
    difficulty.solve_rate,
    difficulty.by_model
FROM read_parquet($latest) AS samples
INNER JOIN difficulty USING (sample_id)
WHERE difficulty.band = 'easy'
