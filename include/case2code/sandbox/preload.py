"""Modules that mined code may import. They are loaded before the lockdown: no file can be opened afterwards.

Runs inside the sandbox: nothing but the standard library.
"""

import importlib

#: An import of anything else makes the call impure.
IMPORTABLE = (
    "__future__", "abc", "array", "base64", "binascii", "bisect", "calendar", "cmath", "collections", "colorsys",
    "contextlib", "copy", "dataclasses", "datetime", "decimal", "difflib", "enum", "fractions", "functools", "hashlib",
    "heapq", "html", "itertools", "json", "math", "numbers", "operator", "random", "re", "statistics", "string",
    "struct", "textwrap", "time", "types", "typing", "unicodedata", "uuid", "warnings", "zlib",
)  # fmt: skip

# What the modules above, str.encode() and the interpreter itself import only when they are used.
_ON_DEMAND = (
    "_sitebuiltins", "_strptime", "collections.abc", "copyreg", "encodings.ascii", "encodings.base64_codec",
    "encodings.cp1252", "encodings.cp437", "encodings.hex_codec", "encodings.idna", "encodings.iso8859_1",
    "encodings.latin_1", "encodings.punycode", "encodings.raw_unicode_escape", "encodings.rot_13",
    "encodings.unicode_escape", "encodings.utf_16", "encodings.utf_16_be", "encodings.utf_16_le", "encodings.utf_32",
    "encodings.utf_7", "encodings.utf_8_sig", "html.entities", "linecache", "locale", "traceback",
)  # fmt: skip


def preload() -> None:
    """Import all of it. Raises ImportError naming the module where this interpreter lacks one."""
    for name in (*IMPORTABLE, *_ON_DEMAND):
        importlib.import_module(name)
