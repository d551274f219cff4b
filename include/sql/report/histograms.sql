-- How many samples of a snapshot are how long, how well covered, and how many mutants their shown cases kill.
WITH measured AS (
    SELECT
        unnest([
            {
                'plot': 'lengths',
                'place': least(loc // 5, 10),
                'label': CASE
                    WHEN loc >= 50 THEN '50 lines and more'
                    ELSE loc // 5 * 5 || ' to ' || loc // 5 * 5 + 4
                END
            },
            {
                'plot': 'coverage',
                'place': floor(coalesce(line_coverage, -0.1) * 10)::INTEGER,
                'label': CASE
                    WHEN line_coverage IS NULL THEN 'unknown'
                    WHEN line_coverage >= 1 THEN 'every line'
                    ELSE floor(line_coverage * 10)::INTEGER * 10 || ' % and more'
                END
            },
            {
                'plot': 'mutants',
                'place': least(coalesce(mutants_killed_shown, -1) // 5, 6),
                'label': CASE
                    WHEN mutants_killed_shown IS NULL THEN 'unknown'
                    WHEN mutants_killed_shown >= 30 THEN '30 mutants and more'
                    ELSE mutants_killed_shown // 5 * 5 || ' to ' || mutants_killed_shown // 5 * 5 + 4
                END
            }
        ]) AS found
    FROM samples
)

SELECT
    found.plot,
    found.label,
    count(*) AS samples
FROM measured
GROUP BY found.plot, found.place, found.label
ORDER BY found.plot, found.place
