-- Functions that are alike a reference and were not yet run beside it on the inputs of both. The probe set of a trial
-- is named by the reference's inputs and the function's own.
WITH trials AS (
    SELECT
        alike.function_id,
        alike.program_id,
        own_inputs.arguments,
        md5(benchmark_references.probe_set || own_inputs.own_hash) AS probe_set
    FROM alike
    INNER JOIN benchmark_references USING (program_id)
    INNER JOIN own_inputs ON alike.function_id = own_inputs.function_id
)

SELECT
    trials.function_id,
    trials.program_id,
    trials.probe_set,
    trials.arguments,
    functions.name,
    functions.code,
    list_transform(
        list_filter(functions.parameters, lambda p: p.kind IN ('POSITIONAL_ONLY', 'POSITIONAL_OR_KEYWORD')),
        lambda p: p.name
    ) AS parameters
FROM trials
INNER JOIN verdicts ON trials.function_id = verdicts.function_id AND verdicts.kept
INNER JOIN functions ON verdicts.occurrence_id = functions.occurrence_id
ANTI JOIN probes
    ON
        trials.function_id = probes.function_id
        AND trials.program_id = probes.program_id
        AND trials.probe_set = probes.probe_set
ORDER BY trials.function_id, trials.program_id
