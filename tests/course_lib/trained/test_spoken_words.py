"""The committed words are what their script computes anew with the trained network."""

from collections import Counter

import pytest

from course_lib.data.extract_spoken_words import dictionary, extract
from course_lib.trained.pronouncer import PHONEMES
from course_lib.trained.spoken_words import SPOKEN_WORDS, spoken_words


@pytest.mark.usefixtures("without_annotations")
def test_the_script_computes_the_committed_words_again() -> None:
    # The closest of the 13,000 choices of a phoneme is won by 7.5e-4 in the logits, and another
    # order of the sums moves them by some 1e-5: no processor changes an answer.
    assert SPOKEN_WORDS.read_bytes() == extract().encode("ascii")


def test_there_are_as_many_words_of_each_length_as_the_docstring_says() -> None:
    words = spoken_words()
    counts = Counter(len(one.word) for one in words)
    assert counts == {**dict.fromkeys(range(3, 17), 100), 17: 66, 18: 21}
    assert len(words) == len({one.word for one in words}) == 1487
    assert SPOKEN_WORDS.stat().st_size < 150_000


def test_every_pronunciation_is_the_dictionarys() -> None:
    known = dictionary()
    for one in spoken_words():
        assert [" ".join(phonemes) for phonemes in one.known] == known[one.word]
        assert {phoneme for phonemes in one.known for phoneme in phonemes} <= set(PHONEMES)


def test_right_is_one_of_the_dictionarys_pronunciations() -> None:
    words = {one.word: one for one in spoken_words()}
    assert words["express"].is_right == (words["express"].answer in words["express"].known)
    assert all(one.is_right for one in words.values() if one.answer == one.known[0])
    assert any(one.is_right and one.answer != one.known[0] for one in words.values())
    assert not all(one.is_right for one in words.values())


def test_long_words_are_said_rightly_less_often() -> None:
    right = Counter(len(one.word) for one in spoken_words() if one.is_right)
    assert [right[length] for length in (4, 8, 12, 16)] == [82, 70, 46, 24]
