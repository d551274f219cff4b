-- One row for each function with candidates: these in order, and a hash that changes with them.
SELECT
    function_id,
    md5(to_json(list([arguments, outcome, value, comparator] ORDER BY position))) AS cases_hash,
    list(
        {'arguments': arguments, 'outcome': outcome, 'value': value, 'comparator': comparator} ORDER BY position
    ) AS cases
FROM judged_cases
WHERE kept
GROUP BY function_id
ORDER BY function_id
