"""What every benchmark ends with: a table for the reader, and `build/bench/NAME.json`."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

_FOLDER = Path(__file__).parents[2] / "build/bench"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement. `goal` is a text such as '≥ 12', empty where it only informs; `holds` follows from it."""

    name: str
    value: float
    unit: str
    goal: str = ""

    @property
    def holds(self) -> bool | None:
        if not self.goal:
            return None
        sign, _, bound = self.goal.partition(" ")
        return {"≥": self.value >= float(bound), "≤": self.value <= float(bound)}[sign]


def write(name: str, figures: list[Figure]) -> None:
    """Print `figures` and write them to `build/bench/{name}.json`."""
    width = max(len(figure.name) for figure in figures)
    print(f"{'':{width}}  {'value':>10}  {'unit':12}  {'goal':8}  holds")
    for figure in figures:
        verdict = {True: "yes", False: "NO", None: ""}[figure.holds]
        print(f"{figure.name:{width}}  {figure.value:10.3g}  {figure.unit:12}  {figure.goal:8}  {verdict}")
    _FOLDER.mkdir(parents=True, exist_ok=True)
    content = [asdict(figure) | {"holds": figure.holds} for figure in figures]
    path = _FOLDER / f"{name}.json"
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"→ {path}")
