"""The tables: one Arrow schema each, as DESIGN lays them out. Every stage reads and writes these and nothing else.

A dropped row stays in its table with `drop_rule` and `drop_reason`; a kept one has null there.
"""

from typing import Final

import pyarrow as pa

_TIME: Final = pa.timestamp("us", tz="UTC")
_TEXTS: Final = pa.list_(pa.string())
_DROP: Final = [("drop_rule", pa.string()), ("drop_reason", pa.string())]

#: One row per repository of a day: the revision in force, or why there is none.
REPOSITORIES: Final = pa.schema(
    [
        ("source", pa.string()),
        ("repository", pa.string()),
        ("revision", pa.string()),
        ("committed_at", _TIME),
        ("files_key", pa.string()),
        *_DROP,
    ]
)

#: One row per Python file of one revision of one repository; `content` is null where the file was dropped, but
#: for tests and examples: they show inputs of other files' functions.
FILES: Final = pa.schema(
    [
        ("source", pa.string()),
        ("repository", pa.string()),
        ("revision", pa.string()),
        ("committed_at", _TIME),
        ("path", pa.string()),
        ("license", pa.string()),
        ("url", pa.string()),
        ("content", pa.string()),
        *_DROP,
    ]
)

_SHARED_PARAMETER: Final = [
    ("name", pa.string()),
    ("kind", pa.string()),
    ("has_default", pa.bool_()),
    ("annotation", pa.string()),
]
#: Parameters as extracted: with the default's literal, which the writers use.
PARAMETERS: Final = pa.list_(pa.struct([*_SHARED_PARAMETER, ("default", pa.string())]))
#: Parameters as published.
PUBLISHED_PARAMETERS: Final = pa.list_(pa.struct(_SHARED_PARAMETER))

#: One row per occurrence of a function; a file that does not parse is one row without a name. `code` and
#: `function_id`, and what is used, imported or undefined, are those of the function with its `helpers`: the functions,
#: classes and constants of its file that it needs. All else is the function's own; `class_name` is that of a static
#: method's class.
FUNCTIONS: Final = pa.schema(
    [
        ("occurrence_id", pa.string()),
        ("function_id", pa.string()),
        ("name", pa.string()),
        ("class_name", pa.string()),
        ("code", pa.string()),
        ("helpers", _TEXTS),
        ("parameters", PARAMETERS),
        ("docstring", pa.string()),
        ("seeds", _TEXTS),
        ("returns_value", pa.bool_()),
        ("is_async", pa.bool_()),
        ("is_generator", pa.bool_()),
        ("has_decorators", pa.bool_()),
        ("undefined_names", _TEXTS),
        ("builtins_used", _TEXTS),
        ("imports", _TEXTS),
        ("attributes", _TEXTS),
        ("loc", pa.int32()),
        ("statements", pa.int32()),
        ("cyclomatic_complexity", pa.int32()),
        ("source", pa.string()),
        ("repository", pa.string()),
        ("revision", pa.string()),
        ("committed_at", _TIME),
        ("path", pa.string()),
        ("start_line", pa.int32()),
        ("end_line", pa.int32()),
        ("license", pa.string()),
        ("url", pa.string()),
        *_DROP,
    ]
)

#: One row per occurrence: kept, or the first rule of the recipe that drops it.
VERDICTS: Final = pa.schema(
    [
        ("occurrence_id", pa.string()),
        ("function_id", pa.string()),
        ("kept", pa.bool_()),
        ("rule", pa.string()),
        ("reason", pa.string()),
    ]
)

#: Ledger: one row per text of a function, with what is secret or personal in it; `shown` says how long it is.
FINDINGS: Final = pa.schema(
    [
        ("text_id", pa.string()),
        ("findings", pa.list_(pa.struct([("kind", pa.string()), ("detector", pa.string()), ("shown", pa.string())]))),
    ]
)

#: Ledger: one row per text of a function, with the benchmark task that it shares most n-grams with, null for none.
BENCHMARK_OVERLAPS: Final = pa.schema(
    [
        ("text_id", pa.string()),
        ("task", pa.string()),
        ("shared", pa.int32()),
        ("example", pa.string()),
    ]
)

#: Ledger: one row per function, its MinHash signature.
SIGNATURES: Final = pa.schema(
    [
        ("function_id", pa.string()),
        ("signature", pa.list_(pa.uint32())),
    ]
)

#: Ledger: one row per function, the near-duplicate cluster that it belongs to for good.
CLUSTERS: Final = pa.schema(
    [
        ("function_id", pa.string()),
        ("cluster_id", pa.string()),
        ("similar_to", pa.string()),
        ("similarity", pa.float64()),
    ]
)

#: One row per task of the recipe's benchmarks, as far as rules read it.
BENCHMARKS: Final = pa.schema(
    [
        ("task", pa.string()),
        ("benchmark", pa.string()),
        ("name", pa.string()),
        ("parameters", pa.int32()),
    ]
)

_NUMBERS: Final = pa.list_(pa.int32())
#: What `writers.Reached` holds.
REACHED: Final = pa.struct(
    [
        ("types", pa.map_(pa.string(), pa.string())),
        ("returned", pa.int32()),
        ("distinct_outputs", pa.int32()),
        ("lines", _NUMBERS),
        ("missed_lines", _NUMBERS),
        ("branches", pa.list_(_NUMBERS)),
        ("one_way_lines", _NUMBERS),
    ]
)

#: Ledger: one row per function and writer, so that what a request cost is counted once. `origins` are those of the
#: `arguments` one by one, empty where all have the row's `origin`.
INPUTS: Final = pa.schema(
    [
        ("function_id", pa.string()),
        ("origin", pa.string()),
        ("arguments", _TEXTS),
        ("origins", _TEXTS),
        ("rejected", pa.list_(pa.struct([("text", pa.string()), ("rule", pa.string()), ("reason", pa.string())]))),
        ("prompt_hash", pa.string()),
        ("tokens_in", pa.int32()),
        ("tokens_out", pa.int32()),
        ("cost_usd", pa.float64()),
        ("reached", REACHED),
    ]
)

#: Ledger: one row per function and arguments. `lines` and `branches` (line that decides, line that came next) are what
#: the call ran of the code, null where nobody knows; `reachable_lines` is how many lines calls can run.
EXECUTIONS: Final = pa.schema(
    [
        ("function_id", pa.string()),
        ("arguments", pa.string()),
        ("outcome", pa.string()),
        ("value", pa.string()),
        ("value_type", pa.string()),
        ("message", pa.string()),
        ("stable", pa.bool_()),
        ("instability", pa.string()),
        ("mutates_arguments", pa.bool_()),
        ("lines", _NUMBERS),
        ("branches", pa.list_(_NUMBERS)),
        ("reachable_lines", pa.int32()),
        ("cpu_seconds", pa.float64()),
        ("isolation", pa.string()),
        ("isolation_layers", _TEXTS),
        ("canaries", pa.string()),
        ("python_version", pa.string()),
    ]
)

#: One row per executed input of a kept function: a case, or the reason why not.
CASES: Final = pa.schema(
    [
        ("function_id", pa.string()),
        ("arguments", pa.string()),
        ("origin", pa.string()),
        ("outcome", pa.string()),
        ("value", pa.string()),
        ("value_type", pa.string()),
        ("comparator", pa.string()),
        ("kept", pa.bool_()),
        ("shown", pa.bool_()),
        ("position", pa.int32()),
        ("rule", pa.string()),
        ("reason", pa.string()),
    ]
)

PUBLISHED_CASES: Final = pa.list_(
    pa.struct(
        [
            ("arguments", pa.string()),
            ("outcome", pa.string()),
            ("value", pa.string()),
            ("value_type", pa.string()),
            ("comparator", pa.string()),
            ("shown", pa.bool_()),
            ("origin", pa.string()),
        ]
    )
)

#: The published snapshot. Columns that a later stage will fill are null.
SAMPLES: Final = pa.schema(
    [
        ("sample_id", pa.string()),
        ("function_id", pa.string()),
        ("split", pa.string()),
        ("function_name", pa.string()),
        ("code", pa.string()),
        ("parameters", PUBLISHED_PARAMETERS),
        ("cases", PUBLISHED_CASES),
        ("prompt", pa.string()),
        ("completion", pa.string()),
        ("repository", pa.string()),
        ("revision", pa.string()),
        ("path", pa.string()),
        ("start_line", pa.int32()),
        ("end_line", pa.int32()),
        ("license", pa.string()),
        ("url", pa.string()),
        ("committed_at", _TIME),
        ("writer", pa.string()),
        ("n_cases", pa.int32()),
        ("n_shown", pa.int32()),
        ("distinct_outputs", pa.int32()),
        ("line_coverage", pa.float64()),
        ("mutants", pa.int32()),
        ("mutants_killed_shown", pa.int32()),
        ("mutants_killed", pa.int32()),
        ("loc", pa.int32()),
        ("cyclomatic_complexity", pa.int32()),
        ("cluster_id", pa.string()),
        ("benchmark_twin", pa.string()),
        ("isolation", pa.string()),
        ("python_version", pa.string()),
    ]
)
