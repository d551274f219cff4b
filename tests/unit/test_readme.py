"""What the README says of commands, columns, recipes and folders is what there is."""

import re
from pathlib import Path

from case2code import parts
from case2code.recipe import load_recipe
from case2code.records import SAMPLES

PROJECT = parts.INCLUDE.parent
README = (PROJECT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_every_make_command_exists() -> None:
    targets = set(re.findall(r"^([a-z0-9]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"make ([a-z0-9]+)", "\n".join(blocks("bash") + re.findall(r"`([^`\n]+)`", README))))
    assert {"run", "test", "up", "duckdb", "airflow", "lint", "clean"} <= named <= targets


def test_the_table_of_columns_is_the_published_schema() -> None:
    section = README.partition("### The columns")[2].partition("\n## ")[0]
    named = [
        name for cell in re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE) for name in re.findall(r"`(\w+)`", cell)
    ]
    assert named == SAMPLES.names


def test_the_recipe_shown_is_a_recipe(tmp_path: Path) -> None:
    whole, *additions = blocks("yaml")
    path = tmp_path / "mine.yaml"
    for addition in ("", *additions):
        path.write_text(f"{whole}\n{addition}")
        assert load_recipe(str(path)).name == "mine"


def test_every_file_and_folder_named_exists() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if not link.startswith("http")]
    folders = re.findall(r"^\| `([a-z_0-9/{},]+/)`", README, re.MULTILINE)
    assert links
    assert folders
    for name in links + [part for folder in folders for part in re.sub(r"\{.*", "", folder).split(",")]:
        assert (PROJECT / name).exists(), name


def test_no_placeholder_is_left() -> None:
    assert "@@" not in README
