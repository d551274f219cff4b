-- The samples of a bucket go into files by split and by the first digit of their id.
COPY ( -- noqa: PRS
    SELECT
        *,
        split AS split_part,
        sample_id[1] AS id_part
    FROM unpublished
) TO $folder (FORMAT parquet, PARTITION_BY (split_part, id_part))
