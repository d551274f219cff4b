"""`requirements.txt` leaves nothing open: every package has one version and hashes, and that is what is installed."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parents[2]


class Locked(NamedTuple):
    requirement: Requirement
    hashes: list[str]

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)

    @property
    def is_for_here(self) -> bool:
        return self.requirement.marker is None or self.requirement.marker.evaluate()


def locked() -> list[Locked]:
    """What `requirements.txt` locks; a line that ends in a backslash goes on in the next one."""
    lines = (PROJECT / "requirements.txt").read_text().replace("\\\n", "").splitlines()
    parts = (re.split(r"\s+--hash=", line.strip()) for line in lines if line.strip())
    return [Locked(Requirement(text), hashes) for text, *hashes in parts]


def short_list() -> list[Requirement]:
    content = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    groups = content["dependency-groups"]
    return [Requirement(text) for text in [*content["project"]["dependencies"], *groups["embedded"], *groups["dev"]]]


def test_every_package_has_an_exact_version_and_hashes() -> None:
    assert len(locked()) > 200
    for name, (requirement, hashes) in ((one.name, one) for one in locked()):
        assert re.fullmatch(r"==[0-9][0-9a-z.+!]*", str(requirement.specifier)), requirement
        assert requirement.url is None, requirement
        assert hashes, f"{name} has no hash"
        assert [value for value in hashes if not re.fullmatch(r"sha256:[0-9a-f]{64}", value)] == [], name


def test_a_machine_gets_one_version_of_each_package() -> None:
    names = [one.name for one in locked() if one.is_for_here]
    assert len(set(names)) == len(names)


def test_the_lock_gives_what_is_asked_for() -> None:
    given = {one.name: version for one in locked() if one.is_for_here for version in one.requirement.specifier}
    for wanted in short_list():
        found = given[canonicalize_name(wanted.name)].version
        assert found in wanted.specifier, f"pyproject.toml asks for {wanted}, locked is {found}: run make lock"


def test_what_is_installed_is_what_is_locked() -> None:
    here = {one.name: one.requirement.specifier for one in locked() if one.is_for_here}
    assert {name: version(name) for name, wanted in here.items() if version(name) not in wanted} == {}
