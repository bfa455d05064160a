"""How text is cut: the two rules, as expressions and as scanners."""

import pytest
from hypothesis import given
from texts import TEXTS, any_text

from course_lib.naive.tokenizer import pre_tokens as naive
from course_lib.tokenizer import pre_tokens as lib

RULES = ["gpt2_pre_tokens", "o200k_pre_tokens"]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("name", RULES)
def test_twin(name: str, text: str) -> None:
    assert getattr(lib, name)(text) == getattr(naive, name)(text)


@pytest.mark.parametrize("name", RULES)
@given(text=any_text)
def test_twin_on_any_text(name: str, text: str) -> None:
    assert getattr(lib, name)(text) == getattr(naive, name)(text)


@pytest.mark.parametrize("name", RULES)
@given(text=any_text)
def test_the_pieces_are_the_text_and_none_is_empty(name: str, text: str) -> None:
    pieces = getattr(lib, name)(text)
    assert "".join(pieces) == text
    assert all(pieces)


@pytest.mark.parametrize("name", RULES)
@given(text=any_text)
def test_a_piece_alone_is_one_piece(name: str, text: str) -> None:
    for piece in getattr(lib, name)(text):
        # White space alone is the exception: what follows decides whom its last space joins.
        if not piece.isspace():
            assert getattr(lib, name)(piece) == [piece]


@pytest.mark.parametrize(
    ("text", "gpt2", "o200k"),
    [
        ("don't", ["don", "'t"], ["don't"]),
        ("DON'T", ["DON", "'", "T"], ["DON'T"]),
        ("12345", ["12345"], ["123", "45"]),
        (" 12345", [" 12345"], [" ", "123", "45"]),
        ("a   b", ["a", "  ", " b"], ["a", "  ", " b"]),
        ("a   ", ["a", "   "], ["a", "   "]),
        ("a \n b", ["a", " \n", " b"], ["a", " \n", " b"]),
        ("a\n\tb", ["a", "\n", "\t", "b"], ["a", "\n", "\tb"]),
        ("HTTPServer", ["HTTPServer"], ["HTTPServer"]),
        ("parseJSON", ["parseJSON"], ["parse", "JSON"]),
        ("(x)", ["(", "x", ")"], ["(x", ")"]),
        ("x;\n\ny", ["x", ";", "\n", "\n", "y"], ["x", ";\n\n", "y"]),
        ("e\u0301t", ["e", "\u0301", "t"], ["e\u0301t"]),
    ],
)
def test_by_hand(text: str, gpt2: list[str], o200k: list[str]) -> None:
    assert lib.gpt2_pre_tokens(text) == gpt2
    assert lib.o200k_pre_tokens(text) == o200k
