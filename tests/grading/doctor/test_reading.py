"""Bytes of any file: a notebook's JSON, or one sentence that says what it is."""

import json

import pytest

from grading.doctor.errors import UngradableError
from grading.doctor.reading import read
from grading.doctor.shaping import shaped

NOTEBOOK = {"cells": [{"cell_type": "code", "source": ["é = 1\n", "é"]}], "nbformat": 4}


def text(ascii_only: bool = False) -> str:
    return json.dumps(NOTEBOOK, indent=1, ensure_ascii=ascii_only)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le",
                 "utf-32-be", "cp1252"],
)  # fmt: skip
def test_each_encoding_is_read(encoding):
    found = read(text().encode(encoding))
    assert found.versions == (NOTEBOOK,)
    assert len(found.repairs) == (encoding != "utf-8")


@pytest.mark.parametrize(
    "spoiled",
    ['{"cells": [1, 2,], "nbformat": 4}', '{"cells": [1,, 2], "nbformat": 4 ,\n}',
     '{"cells": [, 1, 2], "nbformat": 4}'],
)  # fmt: skip
def test_a_comma_too_many_is_left_out_and_told_once(spoiled):
    found = read(spoiled.encode())
    assert found.versions == ({"cells": [1, 2], "nbformat": 4},)
    assert found.repairs == ("The file held a comma too many, as editing by hand leaves it.",)


def test_an_answer_of_jupyters_server_is_unwrapped():
    wrapped = {"name": "softmax.ipynb", "type": "notebook", "content": NOTEBOOK}
    assert read(json.dumps(wrapped).encode()).versions == (NOTEBOOK,)


def test_line_ends_within_a_text_are_read():
    content = b'{"cells": [{"cell_type": "code", "source": "a\nb\tc"}]}'
    assert read(content).versions[0]["cells"][0]["source"] == "a\nb\tc"


def test_a_comma_within_a_text_stays():
    source = {"cells": [{"cell_type": "code", "source": "x = [1, 2,]"}], "nbformat": 4}
    spoiled = json.dumps(source).replace('"nbformat": 4', '"nbformat": 4,')
    assert read(spoiled.encode()).versions == (source,)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "The file is empty"),
        (b" \n\t", "The file is empty"),
        (b"\0" * 10, "nothing but zero bytes"),
        (b"PK\x03\x04rest", "a zip archive"),
        (b"\x1f\x8b\x08", "a compressed archive"),
        (b"<html>", "a web page"),
        (b"print(1)", "it starts with 'print\\(1\\)'"),
        (b"[1, 2]", "JSON but no notebook"),
        (b'{"name": 1}', "JSON but no notebook"),
        (b'{"cells": [1, 2', "cut off: it ends in the middle, after 15 characters"),
        (b'{"cells": "a', "cut off"),
        (b'{"cells", 1}', "not JSON from line 1, column 9 on"),
        (b'{"cells" 1}', "not JSON from line 1, column 10 on"),
        (b'{"cells": ' + b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_file_that_is_no_notebook_says_what_it_is(content, part):
    with pytest.raises(UngradableError, match=part):
        read(content)


def test_cells_that_are_no_list_are_refused():
    with pytest.raises(UngradableError, match="cells are no list"):
        shaped({"cells": {"a": 1}, "nbformat": 4})


def test_an_old_notebook_that_cannot_be_converted_is_refused():
    with pytest.raises(UngradableError, match="older than 4 and cannot be converted"):
        shaped({"worksheets": [{"cells": "none"}], "nbformat": 3})


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (None, ""),
        (["a\r\n", 3, "b"], "a\nb"),
        ("a\rb\0c", "a\nbc"),
        ("x\ud83d", "x\ufffd"),
        (17, ""),
    ],
)
def test_a_text_is_a_text_whatever_held_it(source, expected):
    nb, _ = shaped({"cells": [{"cell_type": "code", "source": source}], "nbformat": 4})
    assert nb.cells[0].source == expected
