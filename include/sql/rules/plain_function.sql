-- Coroutines and generators return objects, not values; decorators are names from elsewhere.
SELECT
    occurrence_id,
    CASE
        WHEN is_async THEN 'is a coroutine'
        WHEN is_generator THEN 'is a generator'
        ELSE 'has decorators'
    END AS reason
FROM candidates
WHERE is_async OR is_generator OR has_decorators
