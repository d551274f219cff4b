-- Neither a one-liner that forwards its argument nor a page that no reader would induce from cases.
SELECT
    occurrence_id,
    loc || ' lines, ' || statements || ' statements, ' || length(code) || ' characters' AS reason
FROM candidates
WHERE
    loc > $max_lines
    OR statements < $min_statements
    OR length(code) > $max_chars
