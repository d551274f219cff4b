-- What the kept functions of a bucket compute on the shared probes, as one id: equal for functions that return the same
-- for each of them. Where few probes return, or what they return says little, there is none.
SELECT
    probes.function_id,
    md5(probes.probe_set || ' ' || probes.outputs::VARCHAR) AS behaviour_id
FROM probes
SEMI JOIN (
    SELECT function_id
    FROM verdicts
    WHERE kept
) USING (function_id)
SEMI JOIN (
    SELECT probe_set
    FROM probe_sets
    WHERE is_shared
) AS of_all ON probes.probe_set = of_all.probe_set
WHERE
    probes.program_id = probes.function_id
    AND list_count(probes.outputs) >= $min_returned
    AND probes.telling_outputs >= $min_distinct_outputs
ORDER BY probes.function_id
