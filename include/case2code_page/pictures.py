"""Where the shapes of the page's pictures go; the templates draw them as SVG, and escape every text in them."""

from dataclasses import dataclass
from typing import Any, Final

#: The names of a stage's drops that get a shape of their own; the others share one.
_RULES: Final = 3
#: Colours of the style sheet that origins share out.
_COLOURS: Final = 6
#: Nights of a chart: more would be thinner than a pixel on a phone.
NIGHTS: Final = 120


@dataclass(frozen=True, slots=True)
class Drop:
    """What one rule took at a stage; `y` and `height` are its shape's."""

    rule: str
    rows: int
    shade: int
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Stage:
    """A column of the funnel: all that came in is a full height, and what is left a part of it."""

    name: str
    rows: int
    share: float
    x: float
    kept_height: float
    drops: tuple[Drop, ...]


@dataclass(frozen=True, slots=True)
class Funnel:
    width: float
    top: float
    height: float
    column: float
    block: float
    stages: tuple[Stage, ...]


def funnel(report: dict[str, Any]) -> Funnel:
    """The funnel of a day or a snapshot. Units change on the way (files, functions, cases), so each stage fills the
    height with what came to it, and what it keeps widens to the next one's height."""
    rows = [row for row in report.get("funnel", []) if row.get("rows") is not None]
    column, block, top, height = 136.0, 68.0, 64.0, 150.0
    stages = []
    for number, row in enumerate(rows):
        dropped = [(str(d["rule"]), int(d["dropped"])) for d in report.get("drops", []) if d["stage"] == row["stage"]]
        dropped.sort(key=lambda drop: -drop[1])
        named, others = dropped[:_RULES], dropped[_RULES:]
        if others:
            named.append((f"by {len(others)} other{'s' if len(others) > 1 else ''}", sum(count for _, count in others)))
        total = int(row["rows"]) + sum(count for _, count in named)
        share = int(row["rows"]) / total if total else 1.0
        y, drops = top + height * share, []
        for shade, (rule, count) in enumerate(named):
            drops.append(Drop(rule, count, shade, y, height * count / total))
            y += height * count / total
        stages.append(
            Stage(str(row["stage"]), int(row["rows"]), share, number * column + 4, height * share, tuple(drops))
        )
    return Funnel(max(column * len(stages) - 8, 300), top, height, column, block, tuple(stages))


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a bar."""

    name: str
    value: float
    colour: int
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """What one night adds to a chart."""

    date: str
    x: float
    width: float
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars over nights. `unit` says of what; `highest` is the value at the top."""

    title: str
    unit: str
    width: float
    height: float
    highest: float
    bars: tuple[Bar, ...]
    legend: tuple[tuple[str, int], ...]


def chart(title: str, unit: str, nights: list[tuple[str, dict[str, float]]]) -> Chart:
    """Stacked bars, one for each (date, values by name), of the newest nights."""
    nights = nights[-NIGHTS:]
    width, height = 480.0, 120.0
    names = sorted({name for _, values in nights for name, value in values.items() if value})
    colours = {name: number % _COLOURS for number, name in enumerate(names)}
    highest = max((sum(values.values()) for _, values in nights), default=0.0)
    step = min(width / max(len(nights), 1), 60.0)
    bars = []
    for number, (date, values) in enumerate(nights):
        y, pieces = height, []
        for name in names:
            tall = height * values.get(name, 0.0) / highest if highest else 0.0
            y -= tall
            if tall:
                pieces.append(Piece(name, values[name], colours[name], y, tall))
        bars.append(Bar(date, number * step, max(step * 0.8, 1.0), tuple(pieces)))
    return Chart(title, unit, width, height, highest, tuple(bars), tuple(colours.items()))
