"""One SPDX expression per repository, from its own metadata.

Metadata follows https://packaging.python.org/en/latest/specifications/core-metadata/ (License-Expression first,
then classifiers, then the free License field), else from its licence files. The classifier "BSD License" names no
variant: the licence file tells which. What stays unclear is None, and the licence rule drops it.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from email.message import Message
from typing import Final

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from case2code import license_texts

_CLASSIFIERS: Final = {
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "Zope Public License": "ZPL-2.1",
    "zlib/libpng License": "Zlib",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
}
_FREE_TEXTS: Final = {"APACHE 2.0": "Apache-2.0", "APACHE LICENSE 2.0": "Apache-2.0", "MIT LICENSE": "MIT"}


#: Licence files by name, in the root of a repository.
FILE_NAMES: Final = re.compile(r"(LICEN[SC]E|COPYING|UNLICENSE)([-._][^/]*)?", re.IGNORECASE)


def from_metadata(metadata: Message, license_files: Sequence[str] = ()) -> str | None:
    """SPDX expression of a `PKG-INFO`; `license_files` are the texts of the licence files beside it."""
    stated = canonical(_first(metadata, "License-Expression"))
    if stated:
        return stated
    classifiers = [
        value.rpartition("::")[2].strip()
        for value in map(str, metadata.get_all("Classifier", []))
        if value.startswith("License ::") and not value.endswith("pproved")  # which one they approved stands beside it
    ]
    found = {_CLASSIFIERS.get(name) or (_bsd(license_files) if name == "BSD License" else None) for name in classifiers}
    if found and None not in found:
        return " OR ".join(sorted(license for license in found if license))
    free = _first(metadata, "License")
    if free in ("BSD", "BSD License"):
        return _bsd(license_files)
    stated = canonical(free) or license_texts.identify(free or "")
    return stated if stated or found else from_texts(license_files)


def from_texts(texts: Sequence[str]) -> str | None:
    """The licence that all licence files are; None where one is unknown, or two differ: is it their choice or yours?"""
    found = {license_texts.identify(text) for text in texts}
    return found.pop() if len(found) == 1 else None


def is_metadata(path: str) -> bool:
    """Whether `from_files` wants the file: it is in the root of a repository, and states or is its licence."""
    return path == "pyproject.toml" or FILE_NAMES.fullmatch(path) is not None


def from_files(files: Mapping[str, bytes]) -> str | None:
    """SPDX expression of a repository, by its `pyproject.toml` and licence files."""
    texts = {path: content.decode("utf-8", "replace") for path, content in files.items()}
    pyproject = texts.pop("pyproject.toml", "")
    metadata = Message()
    try:
        project = tomllib.loads(pyproject).get("project")
    except (tomllib.TOMLDecodeError, RecursionError):
        project = None
    if not isinstance(project, dict):  # anyone may write anything into it
        project = {}
    stated = project.get("license")
    if isinstance(stated, str):
        metadata["License-Expression"] = " ".join(stated.split())
    elif isinstance(stated, dict) and isinstance(stated.get("text"), str):
        metadata["License"] = stated["text"].splitlines()[0] if stated["text"] else ""
    classifiers = project.get("classifiers")
    for classifier in classifiers if isinstance(classifiers, list) else []:
        metadata["Classifier"] = str(classifier)
    return from_metadata(metadata, list(texts.values()))


def _first(metadata: Message, name: str) -> str | None:
    """Text of a header; the parser gives another type than str where its bytes are not ASCII."""
    value = metadata.get(name)
    return None if value is None else str(value)


def canonical(text: str | None) -> str | None:
    """An SPDX expression in its canonical spelling; None where it is not one.

    >>> canonical("mit or apache-2.0"), canonical("see the file")
    ('MIT OR Apache-2.0', None)
    """
    if not text or len(text) > 200:
        return None
    try:
        return str(canonicalize_license_expression(_FREE_TEXTS.get(text.strip().upper(), text.strip())))
    except InvalidLicenseExpression:
        return None


def _bsd(license_files: Sequence[str]) -> str | None:
    """The BSD variant by its text, where the metadata say that it is BSD: each has its own clauses."""
    texts = [" ".join(text.split()) for text in license_files]
    text = next((text for text in texts if "Redistributions of source code" in text), None)
    if text is None or "advertising materials" in text:
        return None
    return "BSD-3-Clause" if "endorse or promote" in text else "BSD-2-Clause"
