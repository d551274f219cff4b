-- Kept functions of some buckets with the probe sets that the ledger `probes` misses. A function is tried on the shared
-- probes for as many arguments as it needs, and on those of every reference that it can be called like.
WITH kept AS (
    SELECT
        functions.function_id,
        functions.occurrence_id,
        list_filter(
            functions.parameters, lambda p: p.kind IN ('POSITIONAL_ONLY', 'POSITIONAL_OR_KEYWORD')
        ) AS by_place,
        greatest(len(list_filter(by_place, lambda p: NOT p.has_default)), 1) AS needed
    FROM functions
    INNER JOIN verdicts USING (occurrence_id)
    WHERE
        verdicts.kept
        AND list_contains($buckets, functions.function_id[1])
        AND len(list_filter(functions.parameters, lambda p: p.kind = 'KEYWORD_ONLY' AND NOT p.has_default)) = 0
),

missing AS (
    SELECT
        kept.occurrence_id,
        any_value(kept.by_place) AS by_place,
        list(probe_sets.probe_set ORDER BY probe_sets.probe_set) AS probe_sets
    FROM kept
    INNER JOIN probe_sets
        ON
            probe_sets.arity <= len(kept.by_place)
            AND (kept.needed = probe_sets.arity OR (NOT probe_sets.is_shared AND kept.needed < probe_sets.arity))
    ANTI JOIN probes
        ON
            kept.function_id = probes.function_id
            AND kept.function_id = probes.program_id
            AND probe_sets.probe_set = probes.probe_set
    GROUP BY kept.occurrence_id
)

SELECT
    functions.function_id,
    functions.name,
    functions.code,
    list_transform(missing.by_place, lambda p: p.name) AS parameters,
    missing.probe_sets
FROM functions
INNER JOIN missing USING (occurrence_id)
ORDER BY functions.function_id
