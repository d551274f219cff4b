"""One SPDX expression per repository; what stays unclear is None, never a guess."""

import email

import pytest

from case2code import licenses

BSD = "Redistributions of source code must retain … "
THREE_CLAUSES = BSD + "Neither the name … may be used to endorse\n   or promote products"


def spdx(*headers: str | bytes, license_file: str | None = None) -> str | None:
    lines = b"\n".join(header if isinstance(header, bytes) else header.encode() for header in headers)
    return licenses.from_metadata(email.message_from_bytes(lines + b"\n\n"), license_file)


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
    ("text", "expected"), [(BSD, "BSD-2-Clause"), (THREE_CLAUSES, "BSD-3-Clause"), ("All rights reserved", None)]
)
def test_the_licence_file_tells_which_bsd_it_is(header: str, text: str, expected: str | None):
    assert spdx(header, license_file=text) == expected


@pytest.mark.parametrize(
    "header", [b"License: Propri\xc3\xa9taire", b"License-Expression: M\xff", b"Classifier: License :: \xc3\xa9"]
)
def test_bytes_that_are_not_ascii_are_no_licence_and_no_crash(header: bytes):
    assert spdx(header) is None
