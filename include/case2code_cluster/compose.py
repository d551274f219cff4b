"""Reads `docker-compose.yaml` as Compose does: variables filled in, a command and an environment for each service."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from case2code.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Service:
    """What a container of the file would run, and what it would be told."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    profiles: tuple[str, ...]
    networks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Topology:
    """All services by name, and the contents of the configs by name."""

    services: Mapping[str, Service]
    configs: Mapping[str, str]


def read(path: Path, variables: Mapping[str, str]) -> Topology:
    """The file with `variables` filled in. Raises ConfigurationError for a required one that is missing."""
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    services = {}
    for name, service in content["services"].items():
        command = tuple(interpolate(word, variables) for word in service.get("command", []))
        told = {key: interpolate(value, variables) for key, value in service.get("environment", {}).items()}
        profiles, networks = tuple(service.get("profiles", [])), tuple(service.get("networks", []))
        services[name] = Service(name, command, told, profiles, networks)
    configs = {name: interpolate(config["content"], variables) for name, config in content["configs"].items()}
    return Topology(services, configs)


def interpolate(text: str, variables: Mapping[str, str]) -> str:
    """Compose's interpolation: `$$`, `${NAME}`, `${NAME:-default}` and `${NAME:?message}`, also inside a default.

    >>> interpolate("a$$b ${X} ${Y:-<${X}>}", {"X": "1"})
    'a$b 1 <1>'
    """
    done, _ = _filled(text, 0, variables, "")
    return done


def _filled(text: str, start: int, variables: Mapping[str, str], end: str) -> tuple[str, int]:
    """The text from `start` to the first `end` outside of variables, and the place behind it."""
    parts: list[str] = []
    place = start
    while place < len(text):
        if end and text[place] == end:
            return "".join(parts), place + 1
        if text.startswith("$$", place):
            parts.append("$")
            place += 2
        elif text.startswith("${", place):
            value, place = _variable(text, place + 2, variables)
            parts.append(value)
        else:
            parts.append(text[place])
            place += 1
    return "".join(parts), place


def _variable(text: str, start: int, variables: Mapping[str, str]) -> tuple[str, int]:
    name = ""
    while (letter := text[start]).isalnum() or letter == "_":
        name, start = name + letter, start + 1
    value = variables.get(name, "")
    operator = text[start : start + 2]
    if operator not in (":-", ":?"):
        return value, start + 1
    # What is not used is not filled in either: a default may require what is not there.
    other, end = _filled(text, start + 2, variables if operator == ":-" and not value else _Anything(), "}")
    if operator == ":?" and not value:
        raise ConfigurationError(f"{name} is not set: {other}")
    return value or other, end


class _Anything(dict[str, str]):
    def get(self, name: str, default: Any = None) -> Any:
        return "unused"


def relocated(service: Service, places: Mapping[str, str]) -> Service:
    """The service with addresses and folders of the container network replaced by local ones, the longest first."""

    def moved(text: str) -> str:
        for old in sorted(places, key=len, reverse=True):
            text = text.replace(old, places[old])
        return text

    told = {key: moved(value) for key, value in service.environment.items()}
    return replace(service, command=tuple(moved(word) for word in service.command), environment=told)
