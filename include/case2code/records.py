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

#: Ledger: one row per function, program and set of probes: hashes of what the program computed, null where it returned
#: nothing. The program is the function itself, or a benchmark's reference that was run beside it. `telling_outputs`
#: counts the different outputs that are none of the arguments.
PROBES: Final = pa.schema(
    [
        ("function_id", pa.string()),
        ("program_id", pa.string()),
        ("probe_set", pa.string()),
        ("outputs", pa.list_(pa.int64())),
        ("telling_outputs", pa.int32()),
    ]
)

#: Ledger: one row per function and candidates for its cases (`cases_hash`). A mutant that no candidate kills is
#: equivalent, as far as can be told; of one that some kill, the first of them are in `killed_by`.
MUTANTS: Final = pa.schema(
    [
        ("function_id", pa.string()),
        ("cases_hash", pa.string()),
        (
            "mutants",
            pa.list_(
                pa.struct(
                    [
                        ("number", pa.int32()),
                        ("operator", pa.string()),
                        ("line", pa.int32()),
                        ("killed_by", _TEXTS),
                    ]
                )
            ),
        ),
    ]
)

#: One row per function with candidates for cases: how many mutants it has, how many of them the shown cases kill, and
#: how many any candidate kills.
MUTATION_SCORES: Final = pa.schema(
    [
        ("function_id", pa.string()),
        ("mutants", pa.int32()),
        ("mutants_killed_shown", pa.int32()),
        ("mutants_killed", pa.int32()),
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
        ("prompt_template", pa.string()),
        ("names_shown", pa.bool_()),
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

#: What an evaluation asks, one row per sample: under the names that the model sees, which `cases` use too.
#: `positional_only` are parameters that the model sees without a name. `before` stands before the answer's program, and
#: where there are `tests` they judge it: they define `check(candidate)`, which raises where it is wrong.
QUESTIONS: Final = pa.schema(
    [
        ("sample_id", pa.string()),
        ("function_name", pa.string()),
        ("prompt", pa.string()),
        ("prompt_hash", pa.string()),
        ("parameters", _TEXTS),
        ("positional_only", _TEXTS),
        (
            "cases",
            pa.list_(
                pa.struct(
                    [
                        ("arguments", pa.string()),
                        ("outcome", pa.string()),
                        ("value", pa.string()),
                        ("comparator", pa.string()),
                        ("shown", pa.bool_()),
                    ]
                )
            ),
        ),
        ("before", pa.string()),
        ("tests", pa.string()),
        ("completion", pa.string()),
        ("loc", pa.int32()),
        ("cyclomatic_complexity", pa.int32()),
        ("license", pa.string()),
        ("origin", pa.string()),
    ]
)

#: Ledger: one row per prompt and number of the answer; `refusal` is what the model or the endpoint refused with.
ANSWERS: Final = pa.schema(
    [
        ("prompt_hash", pa.string()),
        ("number", pa.int32()),
        ("text", pa.string()),
        ("refusal", pa.string()),
        ("finish_reason", pa.string()),
        ("tokens_in", pa.int64()),
        ("tokens_out", pa.int64()),
        ("cost_usd", pa.float64()),
    ]
)

#: One row per scored answer. `reason` is `solved`, or why not; the case is the first one, hidden ones before shown
#: ones, that went wrong.
SCORES: Final = pa.schema(
    [
        ("sample_id", pa.string()),
        ("number", pa.int32()),
        ("reason", pa.string()),
        ("solved", pa.bool_()),
        ("solved_shown", pa.bool_()),
        ("solved_hidden", pa.bool_()),
        ("shown_right", pa.int32()),
        ("shown", pa.int32()),
        ("hidden_right", pa.int32()),
        ("hidden", pa.int32()),
        ("arguments", pa.string()),
        ("expected", pa.string()),
        ("found", pa.string()),
        ("code", pa.string()),
        ("isolation", pa.string()),
    ]
)

#: One row per sample of an evaluation: how many of its answers were right, and the groups that it is counted in.
SOLVED: Final = pa.schema(
    [
        ("sample_id", pa.string()),
        ("model", pa.string()),
        ("evaluation", pa.string()),
        ("answers", pa.int64()),
        ("solved", pa.int64()),
        ("solved_shown", pa.int64()),
        ("solved_hidden", pa.int64()),
        ("length", pa.string()),
        ("complexity", pa.string()),
        ("license", pa.string()),
        ("origin", pa.string()),
    ]
)

#: One row per evaluation of a snapshot; `low` and `high` hold pass@1 with 95 % confidence, `k` is the largest k.
LEADERBOARD: Final = pa.schema(
    [
        ("model", pa.string()),
        ("endpoint", pa.string()),
        ("evaluation", pa.string()),
        ("split", pa.string()),
        ("view", pa.string()),
        ("names", pa.string()),
        ("tasks", pa.int64()),
        ("answers", pa.int64()),
        ("pass_at_1", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("k", pa.int32()),
        ("pass_at_k", pa.float64()),
        ("pass_shown_at_1", pa.float64()),
        ("pass_hidden_at_1", pa.float64()),
        ("tokens_in", pa.int64()),
        ("tokens_out", pa.int64()),
        ("cost_usd", pa.float64()),
    ]
)

#: One row per sample that a model was evaluated on; `solve_rate` is the mean over models, without baselines.
DIFFICULTY: Final = pa.schema(
    [
        ("sample_id", pa.string()),
        (
            "by_model",
            pa.list_(
                pa.struct(
                    [
                        ("model", pa.string()),
                        ("answers", pa.int64()),
                        ("solved", pa.int64()),
                        ("solve_rate", pa.float64()),
                    ]
                )
            ),
        ),
        ("answers", pa.int64()),
        ("solved", pa.int64()),
        ("solve_rate", pa.float64()),
        ("solved_by_baseline", pa.bool_()),
        ("band", pa.string()),
    ]
)
