-- No keys, tokens or passwords in the published code; the reason does not repeat them.
SELECT
    candidates.occurrence_id,
    string_agg(finding.detector || ' ' || finding.shown, ', ' ORDER BY finding.detector, finding.shown) AS reason
FROM candidates
INNER JOIN (
    SELECT
        text_id,
        unnest(findings) AS finding
    FROM findings
) AS found ON md5(candidates.code) = found.text_id
WHERE finding.kind = 'secret'
GROUP BY candidates.occurrence_id
