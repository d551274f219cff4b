"""Modules that mined code may import, made ready before the lockdown: no file can be opened afterwards.

A fork costs more with every page of memory, so only what most functions use is loaded in the zygote. The rest waits as
compiled code in shared memory, which a fork does not copy, and is loaded in the child that asks for it.

Runs inside the sandbox: nothing but the standard library.
"""

import importlib
import marshal
import mmap
import os
import sys
from collections.abc import Sequence
from importlib.machinery import BuiltinImporter, FrozenImporter, ModuleSpec
from types import ModuleType
from typing import Any

#: An import of anything else makes the call impure.
IMPORTABLE = (
    "__future__", "abc", "array", "base64", "binascii", "bisect", "calendar", "cmath", "collections", "colorsys",
    "contextlib", "copy", "dataclasses", "datetime", "decimal", "difflib", "enum", "fractions", "functools", "heapq",
    "html", "itertools", "json", "math", "numbers", "operator", "random", "re", "statistics", "string",
    "struct", "textwrap", "time", "types", "typing", "unicodedata", "warnings",
)  # fmt: skip
_LOADED = (
    "bisect", "collections.abc", "copy", "datetime", "decimal", "fractions", "functools", "heapq", "itertools", "math",
    "operator", "re", "string", "time", "_sitebuiltins",
)  # fmt: skip
#: What the modules above, str.encode() and the interpreter itself import only when they are used.
ON_DEMAND = (
    "_strptime", "copyreg", "encodings.ascii", "encodings.base64_codec", "encodings.cp1252", "encodings.cp437",
    "encodings.hex_codec", "encodings.idna", "encodings.iso8859_1", "encodings.latin_1", "encodings.punycode",
    "encodings.raw_unicode_escape", "encodings.rot_13", "encodings.unicode_escape", "encodings.utf_16",
    "encodings.utf_16_be", "encodings.utf_16_le", "encodings.utf_32", "encodings.utf_7", "encodings.utf_8_sig",
    "html.entities", "linecache", "locale", "traceback",
)  # fmt: skip
# Large libraries, and ways out of the process, that the modules above can do without.
_LEFT_OUT = ("_hashlib", "_posixsubprocess", "_ssl", "_uuid", "fcntl")

_COVERAGE = "case2code.sandbox.coverage"
_STORE_BYTES = 16 << 20


def preload(random_seed: int) -> "Stored":
    """Load or store all of it, then forget where files are. Returns what is stored.

    Raises ImportError naming a module that is missing.
    """
    for name in _LEFT_OUT:
        sys.modules[name] = None  # type: ignore[assignment]
    for name in _LOADED:
        importlib.import_module(name)
    stored = Stored(random_seed)
    for name in stored.collect():
        importlib.import_module(name)
    sys.path[:] = []
    sys.meta_path[:] = [BuiltinImporter, FrozenImporter, stored]
    sys.path_hooks.clear()
    sys.path_importer_cache.clear()
    return stored


class Stored:
    """Finder and loader of modules whose code lies in shared memory.

    `random` is among them: loaded in the zygote, it would seed itself anew after each fork. It gets `random_seed` here.
    """

    def __init__(self, random_seed: int) -> None:
        self.random_seed = random_seed
        self.places: dict[str, tuple[int, int, bool]] = {}
        self._memory = mmap.mmap(-1, _STORE_BYTES)

    def collect(self) -> list[str]:
        """Store what is written in Python, and return what is not and has to be loaded now.

        A fork does the work, so that its garbage never lies between the objects of this process. Raises ImportError.
        """
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                index = self._store(set(sys.modules))
            except ImportError as error:
                index = str(error)
            with os.fdopen(writing, "wb") as pipe:
                marshal.dump(index, pipe)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            index = marshal.load(pipe)  # noqa: S302 - no mined code has run yet
        os.waitpid(child, 0)
        if isinstance(index, str):
            raise ImportError(f"this interpreter lacks a module for mined code: {index}")
        self.places = index[0]
        return list(index[1])

    def _store(self, loaded: set[str]) -> Any:
        for name in (*IMPORTABLE, *ON_DEMAND, _COVERAGE):
            importlib.import_module(name)
        places, extensions, end = {}, [], 0
        for name, module in list(sys.modules.items()):
            spec = getattr(module, "__spec__", None)
            if name in loaded or spec is None or spec.origin in ("built-in", "frozen"):
                continue
            code = spec.loader.get_code(name)
            if code is None:
                extensions.append(name)
                continue
            data = marshal.dumps(code)
            self._memory[end : end + len(data)] = data
            places[name] = (end, len(data), spec.submodule_search_locations is not None)
            end += len(data)
        return places, extensions

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        if name not in self.places:
            return None
        return ModuleSpec(name, self, is_package=self.places[name][2])  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None: ...

    def exec_module(self, module: ModuleType) -> None:
        at, length, _ = self.places[module.__name__]
        exec(marshal.loads(memoryview(self._memory)[at : at + length]), vars(module))  # noqa: S102, S302
        if module.__name__ == "random":
            module.seed(self.random_seed)
