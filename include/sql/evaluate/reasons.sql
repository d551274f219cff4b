-- How many answers ended how, most frequent first.
SELECT
    reason,
    count(*) AS answers,
    count(*) FILTER (solved_shown AND NOT solved_hidden) AS right_on_shown_only
FROM scores
GROUP BY reason
ORDER BY answers DESC, reason
