"""Which label may follow which, the spans that labels mean, and the characters under tokens."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import normal, seeds
from tiny_privacy_filter import OURS

from course_lib.labelling.best_path import best_path
from course_lib.labelling.personal_data import find_personal_data, hide
from course_lib.labelling.spans import Span, character_ranges, span_rules, token_spans
from course_lib.model.classifier import TokenClassifier
from course_lib.tokenizer.bpe import BYTE_RANKS
from course_lib.tokenizer.vocabulary import Tokenizer
from course_lib.zoo.privacy_filter import PRIVACY_FILTER_LABELS

LABELS = ("O", "B-a", "I-a", "E-a", "S-a", "B-b", "I-b", "E-b", "S-b")
#: Bytes, and some pairs: one of them begins inside of "é" (C3 A9), and one is "é" itself.
PAIRS = [b" A", b"nn", b"\xa9l", b"\xc3\xa9", b"  "]
TOKENIZER = Tokenizer(ranks={**BYTE_RANKS, **{pair: 256 + i for i, pair in enumerate(PAIRS)}})


def span(kind: str, start: int, end: int) -> Span:
    return Span(kind=kind, start=start, end=end)


def is_a_row(labels: tuple[str, ...]) -> bool:
    """By the shape of the whole row, not by pairs: O, S, or B, I … I, E of one kind."""
    rest = list(labels)
    while rest:
        tag, _, kind = rest.pop(0).partition("-")
        if tag in {"I", "E"}:
            return False
        if tag == "B":
            while rest and rest[0] == f"I-{kind}":
                rest.pop(0)
            if not rest or rest.pop(0) != f"E-{kind}":
                return False
    return True


def test_the_rules_allow_the_rows_that_are_made_of_whole_spans() -> None:
    rules = span_rules(LABELS)
    for length in (1, 2, 3, 4):
        for path in itertools.product(range(len(LABELS)), repeat=length):
            row = tuple(LABELS[label] for label in path)
            total = rules.first[path[0]] + rules.last[path[-1]]
            total += sum(rules.steps[old, new] for old, new in itertools.pairwise(path))
            assert (total == 0) == is_a_row(row), row
            assert total in (0.0, -math.inf)


def test_spans_are_collected() -> None:
    row = ["O", "S-a", "S-a", "B-b", "E-b", "B-a", "I-a", "I-a", "E-a", "O"]
    assert token_spans(row) == [
        span("a", 1, 2),
        span("a", 2, 3),
        span("b", 3, 5),
        span("a", 5, 9),
    ]
    assert token_spans([]) == []


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (["O", "I-a"], "at token 1 of 2 comes 'I-a' after 'O'"),
        (["B-a", "E-b"], "at token 1 of 2 comes 'E-b' after 'B-a'"),
        (["B-a"], "at token 1 of 1 comes 'O' after 'B-a'"),
        (["B-a", "S-a"], "comes 'S-a' after 'B-a'"),
        (["X-a"], "'X-a' of 3 characters is not"),
        (["B"], "'B' of 1 characters is not"),
        (["B-"], "'B-' of 2 characters is not"),
        (["O-a"], "'O-a' of 3 characters is not"),
    ],
)
def test_a_row_that_means_nothing_is_refused(row: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        token_spans(row)
    with pytest.raises(ValueError, match="start is 2 and end 2, of 'a'"):
        span("a", 2, 2)
    with pytest.raises(ValueError, match="'a' of 1 characters"):
        span_rules(["O", "a"])


@given(seed=seeds, num_tokens=st.integers(0, 30))
def test_any_logits_give_spans_of_the_released_labels(seed: int, num_tokens: int) -> None:
    scores = 3 * normal(seed, num_tokens, len(PRIVACY_FILTER_LABELS))
    path = best_path(scores, span_rules(PRIVACY_FILTER_LABELS)).tolist()
    row = tuple(PRIVACY_FILTER_LABELS[label] for label in path)
    assert is_a_row(row)
    ends = [0]
    for one in token_spans(row):
        assert ends[-1] <= one.start < one.end <= num_tokens
        ends.append(one.end)


@given(text=st.text(max_size=30))
def test_the_ranges_are_those_of_the_bytes(text: str) -> None:
    ids = TOKENIZER.encode(text)
    owner = [place for place, letter in enumerate(text) for _ in letter.encode()]
    at = 0
    for i, (start, end) in zip(ids, character_ranges(TOKENIZER, ids), strict=True):
        under = owner[at : at + len(TOKENIZER.tokens[i])]
        assert (start, end) == (under[0], under[-1] + 1)
        at += len(TOKENIZER.tokens[i])


def test_a_character_that_is_cut_belongs_to_both() -> None:
    ids = [
        BYTE_RANKS[b"h"],
        BYTE_RANKS[b"\xc3"],
        258,
        BYTE_RANKS[b"o"],
    ]  # "h", half an é, the other half with the l, "o"
    assert TOKENIZER.decode(ids) == "hélo"
    assert character_ranges(TOKENIZER, ids) == [(0, 1), (1, 2), (1, 3), (3, 4)]
    assert character_ranges(TOKENIZER, []) == []
    with pytest.raises(ValueError, match="tokenizer's 261; 1 of 2 are not, 999 first"):
        character_ranges(TOKENIZER, [5, 999])


class Told(TokenClassifier):
    """Labels as it is told, whatever it reads."""

    def __init__(self, row: list[str]) -> None:
        super().__init__(OURS)
        self.row = row

    def forward(self, ids: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        assert lengths is None
        assert ids.shape == (1, len(self.row))
        assert not torch.is_grad_enabled()
        logits = torch.zeros(1, len(self.row), len(PRIVACY_FILTER_LABELS))
        for place, label in enumerate(self.row):
            logits[0, place, PRIVACY_FILTER_LABELS.index(label)] = 5.0
        return logits


def found(text: str, row: list[str]) -> list[Span]:
    return find_personal_data(Told(row), TOKENIZER, text, PRIVACY_FILTER_LABELS)


def test_personal_data_is_found_and_hidden() -> None:
    text = "I am Ann."
    assert [TOKENIZER.tokens[i] for i in TOKENIZER.encode(text)][4] == b" A"
    row = ["O", "O", "O", "O", "B-private_person", "E-private_person", "O"]
    (name,) = found(text, row)
    assert text[name.start : name.end] == "Ann"  # without the space that its token begins with
    assert hide(text, [name]) == "I am [private_person]."
    assert hide(text, []) == text
    assert found("", []) == []
    # A row that no rule allows is read as the nearest one that a rule does.
    assert found(text, [*row[:5], "O", "O"]) == []


def test_spaces_alone_are_no_data_and_a_shared_character_is_in_one_span() -> None:
    assert found("  ", ["S-secret"]) == []
    tokenizer = Tokenizer(
        ranks={**BYTE_RANKS, b"h\xc3": 256, b"\xa9l": 257}, pre_tokens=lambda text: [text]
    )
    text = "hélo"
    assert [tokenizer.tokens[i] for i in tokenizer.encode(text)] == [b"h\xc3", b"\xa9l", b"o"]
    row = ["S-secret", "S-private_url", "O"]
    spans = find_personal_data(Told(row), tokenizer, text, PRIVACY_FILTER_LABELS)
    assert spans == [span("secret", 0, 2), span("private_url", 2, 3)]
    assert hide(text, spans) == "[secret][private_url]o"


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="num_labels = 33 and 9 labels came"):
        find_personal_data(Told([]), TOKENIZER, "a", LABELS)
    for wrong in (
        [span("a", 2, 4), span("b", 3, 5)],
        [span("a", 4, 5), span("b", 1, 2)],
        [span("a", 8, 10)],
    ):
        with pytest.raises(ValueError, match="spans stand one behind the other"):
            hide("nine char", wrong)
    assert hide("nine char", [span("a", 0, 4), span("b", 4, 9)]) == "[a][b]"


def test_a_model_without_training_labels_any_text() -> None:
    model = TokenClassifier(OURS)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5, generator=torch.Generator().manual_seed(4))
    plain = Tokenizer(ranks=BYTE_RANKS)
    text = "".join(map(chr, range(33, 90)))  # ids below the 97 of this vocabulary
    spans = find_personal_data(model, plain, text, PRIVACY_FILTER_LABELS)
    kinds = {label[2:] for label in PRIVACY_FILTER_LABELS[1:]}
    assert spans
    assert {one.kind for one in spans} <= kinds
    assert len(hide(text, spans)) > 0
