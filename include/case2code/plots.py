"""Pictures of a snapshot as SVG: horizontal bars, readable on light and dark pages, without a script."""

import re
from collections.abc import Sequence
from html import escape
from typing import Final

_ROW: Final = 26  # pixels
_LABEL: Final = 190
_BARS: Final = 360
_VALUE: Final = 90
_STYLE: Final = (
    "text{font:13px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600;font-size:15px}.bar{fill:#2f6fb5}"
    ".value{fill:#57606a}@media(prefers-color-scheme:dark){text{fill:#e6edf3}.bar{fill:#58a6ff}.value{fill:#9da7b1}}"
)
#: Characters that no XML document holds, however they are escaped.
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def bars(title: str, rows: Sequence[tuple[str, float]]) -> str:
    """A bar for each row of label and value, as long as its share of the longest; labels may hold anything.

    >>> "&lt;b&gt;" in bars("Licences", [("<b>", 3)])
    True
    """
    longest = max((value for _, value in rows), default=0) or 1
    width, height = _LABEL + _BARS + _VALUE, 40 + _ROW * len(rows)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" aria-label="{_text(title)}">',
        f"<style>{_STYLE}</style>",
        f'<text class="title" x="8" y="22">{_text(title)}</text>',
    ]
    for number, (label, value) in enumerate(rows):
        top = 36 + number * _ROW
        length = round(_BARS * value / longest, 1)
        shown = label if len(label) <= 26 else label[:25] + "…"
        lines += [
            f'<text x="{_LABEL - 8}" y="{top + 15}" text-anchor="end">{_text(shown)}</text>',
            f'<rect class="bar" x="{_LABEL}" y="{top}" width="{length}" height="{_ROW - 6}" rx="2"/>',
            f'<text class="value" x="{_LABEL + length + 6}" y="{top + 15}">{value:,.0f}</text>',
        ]
    return "\n".join([*lines, "</svg>\n"])


def _text(text: str) -> str:
    return escape(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text))
