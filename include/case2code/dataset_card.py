"""What lies beside the data of a snapshot for people and for hubs: card, attribution, Croissant, pictures."""

import hashlib
import json
from collections import Counter
from string import Template
from typing import Any, Final

import duckdb
import pyarrow as pa

from case2code import database, parts, plots
from case2code.day import Day
from case2code.records import SAMPLES

_SIZES: Final = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10**12, "1M<n<10M"),
)
_PICTURES: Final = {
    "lengths": "Lines of code of the samples",
    "coverage": "Share of the lines that the cases run",
    "mutants": "Mutants that the shown cases kill",
}


def documents(connection: duckdb.DuckDBPyConnection, day: Day, manifest: dict[str, Any]) -> dict[str, str]:
    """Texts by path, from the manifest and the view `samples`; `croissant` comes after them."""
    rows = database.query(connection, "report/attribution").to_pylist()
    splits, licenses = Counter[str](), Counter[str]()
    for row in rows:
        splits[row["split"]] += row["samples"]
        licenses[row["license"]] += row["samples"]
    found = {
        "README.md": _card(day, manifest, splits, licenses),
        "ATTRIBUTION.md": Template(parts.text(parts.CARDS, "attribution", ".md")).substitute(
            rows=markdown(rows, "repository", "revision", "license", "samples", "url")
        ),
        "plots/funnel.svg": plots.bars("What each stage left", [(r["stage"], r["rows"]) for r in manifest["funnel"]]),
        "plots/licenses.svg": plots.bars("Samples by licence", licenses.most_common(20)),
    }
    histograms = database.query(connection, "report/histograms").to_pylist()
    for name, title in _PICTURES.items():
        bars = [(row["label"], row["samples"]) for row in histograms if row["plot"] == name]
        found[f"plots/{name}.svg"] = plots.bars(title, bars)
    return found


def _card(day: Day, manifest: dict[str, Any], splits: Counter[str], licenses: Counter[str]) -> str:
    total = sum(splits.values())
    sizes = {split: sum(f["bytes"] for f in files) for split, files in _by_split(manifest).items()}
    return Template(parts.text(parts.CARDS, "snapshot", ".md")).substitute(
        name=day.recipe.name,
        version=manifest["version"],
        description=day.recipe.description,
        as_of=f"{day.as_of:%Y-%m-%d %H:%M} UTC",
        samples=total,
        train=splits["train"],
        test=splits["test"],
        size_category=next(name for most, name in _SIZES if total < most),
        features="\n".join(_features(SAMPLES, 4)),
        split_sizes="\n".join(
            f"  - {{name: {split}, num_bytes: {size}, num_examples: {splits[split]}}}" for split, size in sizes.items()
        ),
        download_size=sum(sizes.values()),
        data_files="\n".join(
            f"      - {{split: {split}, path: [{', '.join(f['path'] for f in files)}]}}"
            for split, files in _by_split(manifest).items()
        ),
        funnel=markdown(manifest["funnel"], "stage", "rows"),
        cost=markdown(
            [row | {"tokens": row["tokens_in"] + row["tokens_out"]} for row in manifest["cost"]],
            *("origin", "functions", "inputs", "tokens", "cost_usd"),
        ),
        inputs_by_origin=markdown(
            manifest["inputs_by_origin"],
            *("origin", "returned_share", "functions_with_new_lines", "functions_with_new_branches"),
            *("functions_with_new_outputs", "usd_per_new_branch"),
        ),
        unwritten="".join(
            f"- A budget ended the writing: {row['functions']} functions have no inputs from `{row['origin']}`.\n"
            for row in manifest["unwritten"]
        ),
        licenses="\n".join(f"| {cell(name)} | {count} |" for name, count in licenses.most_common()),
        isolation=manifest["isolation"],
        python_version=manifest["python_version"],
    )


def _by_split(manifest: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for file in manifest["files"]:
        found.setdefault(file["path"].removeprefix("data/").partition("-")[0], []).append(file)
    return dict(sorted(found.items()))


def _features(fields: Any, indent: int) -> list[str]:
    """The columns as the Hub's `dataset_info` lists them, in YAML."""
    pad, lines = " " * indent, []
    for field in fields:
        kind = field.type
        lines.append(f"{pad}- name: {field.name}")
        if pa.types.is_list(kind):
            if pa.types.is_struct(kind.value_type):
                lines += [f"{pad}  list:", *_features(kind.value_type, indent + 2)]
            else:
                lines.append(f"{pad}  list: {_hub_type(kind.value_type)}")
        else:
            lines.append(f"{pad}  dtype: {_hub_type(kind)}")
    return lines


def _hub_type(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return "timestamp[us, tz=UTC]"
    names = {pa.bool_(): "bool", pa.int32(): "int32", pa.float64(): "float64"}
    return names.get(kind, "string")


_CONTEXT: Final = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "sc": "https://schema.org/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "recordSet": "cr:recordSet",
    "field": "cr:field",
    "subField": "cr:subField",
    "repeated": "cr:repeated",
    "source": "cr:source",
    "extract": "cr:extract",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "column": "cr:column",
    "includes": "cr:includes",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
}


def croissant(day: Day, manifest: dict[str, Any], card: str) -> str:
    """The snapshot with this card in Croissant 1.0 (mlcommons.org/croissant), from the schema that the card has too."""
    files = [
        {
            "@type": "cr:FileObject",
            "@id": file["path"],
            "name": file["path"],
            "contentUrl": file["path"],
            "encodingFormat": "application/x-parquet",
            "contentSize": f"{file['bytes']} B",
            "sha256": file["sha256"],
        }
        for file in manifest["files"]
    ]
    readme = {
        "@type": "cr:FileObject",
        "@id": "README.md",
        "name": "README.md",
        "contentUrl": "README.md",
        "encodingFormat": "text/markdown",
        "sha256": hashlib.sha256(card.encode()).hexdigest(),
    }
    every = {
        "@type": "cr:FileSet",
        "@id": "data",
        "name": "data",
        "encodingFormat": "application/x-parquet",
        "includes": "data/*.parquet",
    }
    content = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": f"case2code-{day.recipe.name}",
        "description": day.recipe.description or f"Case2Code {day.recipe.name}",
        "version": manifest["version"],
        "datePublished": manifest["date"],
        "license": "ATTRIBUTION.md",
        "url": ".",
        "citeAs": "https://arxiv.org/abs/2407.12504",
        "distribution": [*files, every, readme],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "samples",
                "name": "samples",
                "field": [_croissant_field(field, "samples", field.name) for field in SAMPLES],
            }
        ],
    }
    return json.dumps(content, indent=1) + "\n"


def _croissant_field(field: pa.Field, parent: str, column: str) -> dict[str, Any]:
    kind, identity = field.type, f"{parent}/{field.name}"
    found: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": identity,
        "name": field.name,
        "source": {"fileSet": {"@id": "data"}, "extract": {"column": column}},
    }
    if pa.types.is_list(kind):
        found["repeated"] = True
        kind = kind.value_type
    if pa.types.is_struct(kind):
        return found | {"subField": [_croissant_field(inner, identity, f"{column}.{inner.name}") for inner in kind]}
    names = {pa.bool_(): "sc:Boolean", pa.int32(): "sc:Integer", pa.float64(): "sc:Float"}
    return found | {"dataType": "sc:DateTime" if pa.types.is_timestamp(kind) else names.get(kind, "sc:Text")}


def markdown(rows: list[dict[str, Any]], *columns: str) -> str:
    """The rows of a Markdown table, without its head."""
    return "\n".join(f"| {' | '.join(cell(row[column]) for column in columns)} |" for row in rows)


def cell(value: Any) -> str:
    """A value in a Markdown table; names come from outside and must not end the cell or begin HTML."""
    return str(value).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
