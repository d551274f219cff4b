-- The cluster of every unclustered function: that of the most similar earlier one, else its own. Those that have a
-- cluster come first, then the new ones by id. A function meets the first one of each of its bands and no other, so
-- the work grows with the functions and not with their pairs.
CREATE OR REPLACE TEMP TABLE assigned AS
WITH RECURSIVE numbered AS MATERIALIZED (
    SELECT
        signatures.function_id,
        signatures.signature,
        clusters.cluster_id,
        row_number() OVER (ORDER BY clusters.cluster_id IS NULL, signatures.function_id) AS place
    FROM signatures
    LEFT JOIN clusters USING (function_id)
    WHERE clusters.function_id IS NOT NULL OR signatures.function_id IN (SELECT function_id FROM unclustered)
),

bands AS (
    SELECT
        place,
        cluster_id IS NULL AS is_new,
        unnest(range($bands)) AS band,
        unnest(list_transform(range($bands), lambda b: hash(signature[b * $rows + 1:b * $rows + $rows]))) AS content
    FROM numbered
),

first_of_band AS (
    SELECT
        band,
        content,
        min(place) AS place
    FROM bands
    GROUP BY band, content
    HAVING count(*) > 1
),

meetings AS (
    SELECT DISTINCT
        bands.place,
        first_of_band.place AS earlier
    FROM bands
    INNER JOIN first_of_band USING (band, content)
    WHERE bands.is_new AND first_of_band.place < bands.place
),

matches AS (
    SELECT
        later.function_id,
        earlier.function_id AS similar_to,
        earlier.cluster_id,
        earlier.place,
        list_sum(list_transform(
            list_zip(later.signature, earlier.signature), lambda pair: (pair[1] = pair[2])::INTEGER
        )) / ($bands * $rows) AS similarity
    FROM meetings
    INNER JOIN numbered AS later ON meetings.place = later.place
    INNER JOIN numbered AS earlier ON meetings.earlier = earlier.place
    WHERE similarity >= $min_similarity
),

best AS (
    SELECT
        function_id,
        arg_max(
            {'similar_to': similar_to, 'cluster_id': cluster_id, 'similarity': similarity}, (similarity, -place)
        ) AS match
    FROM matches
    GROUP BY function_id
),

links AS MATERIALIZED (
    SELECT
        unclustered.function_id,
        best.match.similar_to AS similar_to,
        best.match.similarity AS similarity,
        -- Null where the match is new itself: its own match says which cluster that is.
        CASE WHEN best.match IS NULL THEN unclustered.function_id ELSE best.match.cluster_id END AS cluster_id
    FROM unclustered
    LEFT JOIN best USING (function_id)
),

followed AS (
    SELECT
        function_id,
        cluster_id,
        similar_to,
        similarity
    FROM links
    WHERE cluster_id IS NOT NULL
    UNION ALL
    SELECT
        links.function_id,
        followed.cluster_id,
        links.similar_to,
        links.similarity
    FROM followed
    INNER JOIN links ON followed.function_id = links.similar_to
    WHERE links.cluster_id IS NULL
)

SELECT
    function_id,
    cluster_id,
    similar_to,
    similarity
FROM followed
