-- Functions of some buckets that computed on the screens what a reference computes: candidates for its twins.
CREATE OR REPLACE TEMP TABLE alike AS
WITH computed AS (
    SELECT
        probes.function_id,
        probes.probe_set,
        unnest(probes.outputs) AS output,
        unnest(range(len(probes.outputs))) AS position
    FROM probes
    SEMI JOIN (
        SELECT function_id
        FROM verdicts
        WHERE kept AND list_contains($buckets, function_id[1])
    ) USING (function_id)
    SEMI JOIN screens ON probes.probe_set = screens.probe_set
    WHERE probes.program_id = probes.function_id
)

SELECT
    computed.function_id,
    screens.program_id
FROM computed
INNER JOIN screens
    ON
        computed.probe_set = screens.probe_set
        AND computed.position = screens.position
        AND computed.output = screens.output
GROUP BY computed.function_id, screens.program_id
HAVING count(*) = any_value(screens.probes)
