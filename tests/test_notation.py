"""The alphabet: one letter, one meaning, and nothing that is not in it."""

import re

import pytest

from course_lib.notation import SIZES, SYMBOLS, Size, size


def test_the_alphabet_is_the_courses() -> None:
    letters = " ".join(entry.letter for entry in SIZES)
    assert letters == "B T S C H G R D Dv F E A L V N Dc Dr W"
    assert len({entry.name for entry in SIZES}) == len(SIZES)
    assert len({entry.meaning for entry in SIZES}) == len(SIZES)


@pytest.mark.parametrize("entry", SIZES, ids=lambda entry: entry.letter)
def test_a_size_has_a_word_a_meaning_and_a_chinese_term(entry: Size) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", entry.name)
    assert entry.meaning.isascii()
    assert len(entry.meaning) > 5
    assert re.search(r"[\u4e00-\u9fff]", entry.chinese)
    assert size(entry.letter) is entry


def test_symbols_are_unique_and_written_in_the_alphabet() -> None:
    letters = {entry.letter for entry in SIZES}
    assert len({entry.latex for entry in SYMBOLS}) == len(SYMBOLS)
    assert len({entry.name for entry in SYMBOLS}) == len(SYMBOLS)
    for entry in SYMBOLS:
        assert set(entry.shape.split()) <= letters
        assert re.search(r"[\u4e00-\u9fff]", entry.chinese)


def test_formulas_set_the_second_letter_as_an_index() -> None:
    assert size("D").latex == "D"
    assert size("Dv").latex == "D_v"


def test_an_unknown_letter_is_refused() -> None:
    with pytest.raises(ValueError, match="'K' is none; the letters are B T S C"):
        size("K")


def test_a_size_does_not_change() -> None:
    with pytest.raises(AttributeError):
        size("B").letter = "N"  # type: ignore[misc]
