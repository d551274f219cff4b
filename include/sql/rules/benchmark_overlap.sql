-- Not the text of a benchmark: few runs of words in common with any of its tasks.
SELECT
    candidates.occurrence_id,
    'shares ' || found.shared || ' runs of words with ' || found.task || ': ' || found.example AS reason
FROM candidates
INNER JOIN benchmark_overlaps AS found ON md5(candidates.code) = found.text_id
WHERE found.shared > $max_shared_ngrams
