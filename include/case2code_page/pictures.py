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


@dataclass(frozen=True, slots=True)
class Mark:
    """A share and the interval that holds it: a dot on a line."""

    name: str
    colour: int
    value: float
    low: float
    high: float
    tasks: int
    x: float
    left: float
    right: float
    y: float


@dataclass(frozen=True, slots=True)
class Lane:
    """The marks under one label; `y` is the middle of them."""

    label: str
    y: float
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Intervals:
    """Shares with their intervals on one scale, which begins at `left` and ends `scale` further on."""

    title: str
    width: float
    height: float
    left: float
    scale: float
    lanes: tuple[Lane, ...]
    legend: tuple[tuple[str, int], ...]


#: A label, and under it by their names estimates as `case2code.pass_at_k` makes them.
Estimates = tuple[str, list[tuple[str, dict[str, Any]]]]


def intervals(title: str, rows: list[Estimates]) -> Intervals:
    """Dots with their intervals, from 0 to 100 %; equal names under all labels have one colour."""
    width, left, scale, tall, gap = 560.0, 196.0, 306.0, 15.0, 9.0
    names = list(dict.fromkeys(name for _, marks in rows for name, _ in marks))
    colours = {name: number % _COLOURS for number, name in enumerate(names)}
    lanes, y = [], gap / 2
    for label, given in rows:
        marks = tuple(
            Mark(
                name=name,
                colour=colours[name],
                value=one["value"],
                low=one["low"],
                high=one["high"],
                tasks=one["tasks"],
                x=left + scale * one["value"],
                left=left + scale * one["low"],
                right=left + scale * one["high"],
                y=y + tall * (place + 0.5),
            )
            for place, (name, one) in enumerate(given)
        )
        lanes.append(Lane(label, y + tall * len(marks) / 2, marks))
        y += tall * len(marks) + gap
    return Intervals(title, width, y, left, scale, tuple(lanes), tuple(colours.items()))
