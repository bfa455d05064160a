"""test_bpe_encode: a test that a learner writes, tried on the chapter's own wrong functions."""

from __future__ import annotations

from grading.exercise import Answer, Exercise, Output
from grading.exercises.shared.candidates import Candidates, matched
from grading.exercises.shared.written_tests import WrittenTest
from grading.exercises.tokens_and_embeddings.encoding import BPE_ENCODE, VOCABULARIES
from grading.exercises.tokens_and_embeddings.encoding_steps import STEPS

__all__ = ["TEST_BPE_ENCODE"]

_CANDIDATES = Candidates(of=BPE_ENCODE, share=1.0)
_TEST = WrittenTest(candidates=_CANDIDATES)

Ranks = dict[bytes, int]
Case = tuple[bytes, Ranks]


def _right(piece: bytes, ranks: Ranks) -> list[int]:
    found: list[int] = STEPS.answer()(piece, ranks)
    return found


def _compares(*cases: Case) -> Answer:
    def test(candidate: Answer) -> None:
        for piece, ranks in cases:
            assert candidate(piece, ranks) == _right(piece, ranks)

    return test


def _joins(*cases: Case) -> Answer:
    """Ask only that the tokens are the piece again."""

    def test(candidate: Answer) -> None:
        for piece, ranks in cases:
            names = {rank: token for token, rank in ranks.items()}
            assert b"".join(names[one] for one in candidate(piece, ranks)) == piece

    return test


def _counts(*cases: Case) -> Answer:
    """Ask only how many ids come back."""

    def test(candidate: Answer) -> None:
        for piece, ranks in cases:
            assert len(candidate(piece, ranks)) == len(_right(piece, ranks))

    return test


def _laws(candidate: Answer) -> None:
    """A right test without an oracle: in each vocabulary one merge decides, and which."""
    base = {b"a": 4, b"b": 3, b"c": 2, b"d": 1, b"e": 0, b"\xc3": 5, b"\xa9": 6}
    for tokens, piece, cut in (
        ([b"bc", b"ab"], b"abc", [b"a", b"bc"]),
        ([b"ab", b"bc"], b"abc", [b"ab", b"c"]),
        ([b"ab", b"cd", b"abc"], b"abcd", [b"ab", b"cd"]),
        ([b"bc", b"bcd", b"ab", b"abcd"], b"abcd", [b"abcd"]),
        ([b"aa"], b"aaa", [b"aa", b"a"]),
        ([b"ba", b"ab"], b"ababab", [b"a", b"ba", b"ba", b"b"]),
        ([b"dc", b"cb"], b"dcb", [b"dc", b"b"]),
        ([b"bd", b"ad", b"adb"], b"adbd", [b"ad", b"bd"]),
        ([b"\xa9a"], b"\xc3\xa9a", [b"\xc3", b"\xa9a"]),
        ([b"\xa9a", b"\xc3\xa9"], b"\xc3\xa9a", [b"\xc3", b"\xa9a"]),
        ([], b"ab", [b"a", b"b"]),
    ):
        ranks = base | {token: 7 + number for number, token in enumerate(tokens)}
        for listed in (ranks, dict(reversed(ranks.items()))):
            assert candidate(piece, listed) == [ranks[one] for one in cut]


_OF = VOCABULARIES
WORD, ENDS = (b"lowest", _OF["words"]), (b"abcd", _OF["ends"])
INSIDE, RUNS = (b"dabcd", _OF["inside"]), (b"aaaaaaab", _OF["runs"])
LETTERS = (b"dabcabd", _OF["letters"])
BYTES = ("你好".encode(), _OF["bytes"])
OFTEN = (b"xyxyxyzx", _OF["often"])
LISTED = (b"bcabc", dict(reversed(_OF["letters"].items())))
PLAIN = (WORD, ENDS, INSIDE, LETTERS, OFTEN)

TEST_BPE_ENCODE = Exercise(
    name="test_bpe_encode", slug="tokens-and-embeddings", task="test",
    title="A test that tells merges from matches", kind="test", points=1.0, difficulty=2,
    importance=3, minutes=20, parameters=("candidate",), outputs=(Output(name="said", kind="any"),),
    equation="eq-lowest-rank", reference=_compares(*PLAIN, RUNS, BYTES, LISTED),
    probes=_TEST.probes, functions=_TEST.functions, laws=_TEST.laws, judge=_TEST.judge,
    view=_TEST.view,
    next_rung="A tokenizer that is wrong here makes no error: the model reads other ids.",
    misconceptions=(
        *_TEST.mistakes(),
        matched(
            "TEST-ROUNDTRIP", "Functions pass whose tokens are the piece again, and are the wrong "
            "ones: the longest that fits, for one, or single bytes. Any cut of a piece passes such "
            "a test; say which ids come out.",
            _joins(*PLAIN, RUNS, BYTES, LISTED), _joins(*PLAIN),
        ),
        matched(
            "TEST-ASCII", "A function passes that begins with characters instead of bytes. With "
            "English letters alone the two are the same: take a piece with a letter of several "
            "bytes.",
            _compares(*PLAIN, RUNS, LISTED), _compares(*PLAIN, RUNS, LISTED, (b"", _OF["runs"])),
        ),
        matched(
            "TEST-NORUNS", "A function passes that merges the last of several equal places first. "
            "Take three equal letters in a row, of which two make a token.",
            _compares(*PLAIN, BYTES, LISTED), _compares(WORD, ENDS, INSIDE, OFTEN, BYTES, LISTED),
        ),
        matched(
            "TEST-LISTED", "A function passes that tries the tokens as the dict lists them. List "
            "the ranks in another order than their own.",
            _compares(*PLAIN, RUNS, BYTES), _compares(*PLAIN[::-1], BYTES, RUNS),
        ),
        matched(
            "TEST-LENGTH", "Functions pass that give as many ids as the right one, and other ones, "
            "such as the bytes' own values. Compare the ids and not their number.",
            _counts(*PLAIN, RUNS, BYTES, LISTED), _counts(*PLAIN, RUNS, BYTES),
        ),
        matched(
            "TEST-ONEWORD", "Functions pass that take the longest token of all neighbours, or "
            "merge by what the halves are. On one short word they are right: take pieces on which "
            "two merges exclude each other.",
            _compares(WORD), _compares(WORD, (b"low", _OF["words"])),
        ),
    ),
    alternatives=(_laws, _compares(LISTED, BYTES, RUNS, OFTEN, LETTERS, INSIDE, ENDS)),
)  # fmt: skip
