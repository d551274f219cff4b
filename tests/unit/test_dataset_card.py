"""What lies beside the data: the card loads in YAML, Croissant says what the files hold, and pictures are XML."""

import hashlib
import json
from typing import Any
from xml.etree import ElementTree

import duckdb
import pyarrow as pa
import pytest
import yaml

from builders.day_run import day_of, tiny_recipe
from case2code.dataset_card import croissant, documents
from case2code.plots import bars
from case2code.records import SAMPLES

HOSTILE = [
    '</text><script>alert("1")</script>',
    "a & b",
    "\"quotes'",
    "x" * 5_000,
    "Ünï — 中文 🐍",
    "|",
    "$name ${x}",
    "",
]
FILES = ("data/test-00000-of-00001.parquet", "data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet")
DESCRIPTION = "Functions: 'of' \"many\" <b>kinds</b>, $samples"


def sample(number: int, split: str = "train") -> dict[str, Any]:
    hostile = HOSTILE[number % len(HOSTILE)]
    facts = {"license": hostile, "repository": hostile, "revision": "1", "url": f"https://example.org/{hostile}#L1"}
    return {"sample_id": f"{number:032x}", "split": split, "loc": number, **facts}


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    files = [{"path": path, "bytes": len(path), "sha256": hashlib.sha256(path.encode()).hexdigest()} for path in FILES]
    return {
        "version": "2026-03-02-0123456789ab",
        "date": "2026-03-02",
        "files": files,
        "funnel": [{"stage": "functions", "rows": 30}, {"stage": "samples", "rows": 20}],
        "cost": [
            {"origin": "boundary", "functions": 20, "inputs": 99, "tokens_in": 3, "tokens_out": 4, "cost_usd": 0.0}
        ],
        "inputs_by_origin": [
            {
                "origin": "a|b",
                "returned_share": 0.5,
                "functions_with_new_lines": 1,
                "functions_with_new_branches": 2,
                "functions_with_new_outputs": 3,
                "usd_per_new_branch": None,
            }
        ],
        "unwritten": [],
        "isolation": "namespaces",
        "python_version": "3.11.7",
    }


@pytest.fixture(scope="module")
def found(manifest: dict[str, Any]) -> dict[str, Any]:
    recipe = tiny_recipe(["https://example.org/r.git"], description=DESCRIPTION)
    rows = [sample(number) for number in range(16)] + [sample(number, "test") for number in range(16, 20)]
    with duckdb.connect() as connection:
        connection.register("samples", pa.Table.from_pylist(rows, SAMPLES))
        texts = documents(connection, day_of("2026-03-02", recipe), manifest)
    return texts | {"croissant.json": croissant(day_of("2026-03-02", recipe), manifest, texts["README.md"])}


# The card


@pytest.fixture(scope="module")
def header(found: dict[str, str]) -> dict[str, Any]:
    card = found["README.md"]
    assert card.startswith("---\n")
    loaded: dict[str, Any] = yaml.safe_load(card.split("---\n")[1])
    return loaded


def test_the_header_lists_every_column_with_its_type(header: dict[str, Any]):
    features = header["dataset_info"]["features"]
    assert [feature["name"] for feature in features] == SAMPLES.names
    by_name = {feature.pop("name"): feature for feature in features}
    assert by_name["code"] == {"dtype": "string"}
    assert by_name["start_line"] == {"dtype": "int32"}
    assert by_name["names_shown"] == {"dtype": "bool"}
    assert by_name["line_coverage"] == {"dtype": "float64"}
    assert by_name["committed_at"] == {"dtype": "timestamp[us, tz=UTC]"}
    inner = [field.name for field in SAMPLES.field("cases").type.value_type]
    assert [field["name"] for field in by_name["cases"]["list"]] == inner


def test_the_header_has_the_files_and_the_rows_of_each_split(header: dict[str, Any]):
    splits = {split["name"]: split for split in header["dataset_info"]["splits"]}
    assert {name: split["num_examples"] for name, split in splits.items()} == {"train": 16, "test": 4}
    assert splits["train"]["num_bytes"] + splits["test"]["num_bytes"] == sum(map(len, FILES))
    assert header["dataset_info"]["download_size"] == sum(map(len, FILES))
    paths = {split["split"]: split["path"] for split in header["configs"][0]["data_files"]}
    assert paths == {"test": [FILES[0]], "train": list(FILES[1:])}
    assert header["size_categories"] == ["n<1K"]


def test_what_comes_from_outside_stays_in_its_cell(found: dict[str, str]):
    for name in ("README.md", "ATTRIBUTION.md"):
        assert "<script" not in found[name]
    licenses = found["README.md"].split("| licence | samples |\n|---|---|\n")[1].split("\n\n")[0].splitlines()
    assert len(licenses) == len(HOSTILE)
    assert all(line.startswith("| ") and line.endswith((" | 2 |", " | 3 |")) for line in licenses)


# Croissant


@pytest.fixture(scope="module", name="croissant")
def read_croissant(found: dict[str, str]) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(found["croissant.json"])
    return loaded


def test_croissant_has_what_it_must(croissant: dict[str, Any], manifest: dict[str, Any]):
    assert croissant["@type"] == "sc:Dataset"
    assert croissant["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert croissant["name"] == "case2code-tiny"
    assert croissant["description"] == DESCRIPTION
    assert croissant["version"] == manifest["version"]
    for name in ("license", "url", "datePublished", "@context"):
        assert croissant[name]


def test_croissant_has_each_file_with_its_hash(croissant: dict[str, Any], found: dict[str, str]):
    objects = {each["@id"]: each for each in croissant["distribution"] if each["@type"] == "cr:FileObject"}
    expected = {path: hashlib.sha256(path.encode()).hexdigest() for path in FILES}
    expected["README.md"] = hashlib.sha256(found["README.md"].encode()).hexdigest()
    assert {path: each["sha256"] for path, each in objects.items()} == expected
    assert all(each["contentUrl"] == path and each["encodingFormat"] for path, each in objects.items())


def test_croissant_has_a_field_for_each_column(croissant: dict[str, Any]):
    (records,) = croissant["recordSet"]
    assert [field["name"] for field in records["field"]] == SAMPLES.names
    sets = {each["@id"] for each in croissant["distribution"] if each["@type"] == "cr:FileSet"}
    for field in records["field"]:
        assert field["source"]["fileSet"]["@id"] in sets
        assert field["source"]["extract"] == {"column": field["name"]}
        assert ("dataType" in field) != ("subField" in field)
    fields = {field["name"]: field for field in records["field"]}
    assert fields["cases"]["repeated"]
    inner = [field.name for field in SAMPLES.field("cases").type.value_type]
    assert [field["name"] for field in fields["cases"]["subField"]] == inner
    assert fields["committed_at"]["dataType"] == "sc:DateTime"
    identities = [each["@id"] for field in records["field"] for each in (field, *field.get("subField", ()))]
    assert len(identities) == len(set(identities))


# Pictures


def test_every_picture_is_xml_without_a_script(found: dict[str, str]):
    pictures = {path: text for path, text in found.items() if path.endswith(".svg")}
    assert sorted(pictures) == [
        f"plots/{name}.svg" for name in ("coverage", "funnel", "lengths", "licenses", "mutants")
    ]
    for text in pictures.values():
        tags = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(text).iter()}
        assert tags == {"svg", "style", "text", "rect"}


@pytest.mark.parametrize("label", HOSTILE)
def test_a_label_is_text_whatever_it_holds(label: str):
    root = ElementTree.fromstring(bars(label, [(label, 3), ("other", 1.5)]))
    texts = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[0] == label
    assert texts[1] == label or (texts[1].endswith("…") and label.startswith(texts[1][:-1]) and len(texts[1]) <= 26)
    assert root.attrib["aria-label"] == label
    widths = [float(element.attrib["width"]) for element in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert widths[0] == 2 * widths[1] > 0


def test_nothing_to_show_is_a_picture_too():
    assert ElementTree.fromstring(bars("None", [])).tag.endswith("svg")
    assert ElementTree.fromstring(bars("Zero", [("a", 0)])).tag.endswith("svg")


def test_a_label_with_what_xml_cannot_hold_is_a_picture_too():
    assert ElementTree.fromstring(bars("a\x00b", [("c\x1b\ud800\ufffe", 1)])).tag.endswith("svg")
