-- Of equal functions one stays: the first by repository, path and line, so that a day always keeps the same one.
SELECT
    occurrence_id,
    'same code as ' || first_value(repository || ' ' || path || ':' || start_line) OVER equal_code AS reason
FROM candidates
WINDOW equal_code AS (PARTITION BY function_id ORDER BY repository, path, start_line, occurrence_id)
QUALIFY row_number() OVER equal_code > 1
