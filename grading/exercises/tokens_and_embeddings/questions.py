"""The chapter's questions: two predictions, and a bug to find."""

from __future__ import annotations

from typing import Any

from grading.exercise import Exercise, Misconception, Output
from grading.exercises.shared.questions import BROKEN, RIGHT, Diagnosis, asked, near, number_near
from grading.late import torch

__all__ = ["BUGS", "FIND_THE_BUG", "PREDICT_SHARE", "PREDICT_TOKENS", "SHARE", "TOKENS"]

#: 注意力 in UTF-8; the tests encode it.
TOKENS = 9
#: 38,597,376 of the 124,439,808 parameters of the smallest GPT-2; the tests count again.
SHARE = 0.310


PREDICT_TOKENS = Exercise(
    name="predict_tokens_of_a_word", slug="tokens-and-embeddings", task="predict",
    title="A word that was never seen", kind="predict", points=0.5, difficulty=1, importance=3,
    minutes=5, parameters=(), outputs=(Output(name="prediction", kind="number"),),
    reference=lambda: TOKENS, equation="eq-lowest-rank", judge=number_near(TOKENS, 0), probes=asked,
    next_rung="No text is unknown to bytes. What it costs is length.",
    misconceptions=(
        Misconception(code="TOKENS-CHARS", wrong=lambda: 3, recognise=near(3, 0.1), sentence=(
            "The word has three characters, and the vocabulary holds no characters but bytes. In "
            "UTF-8 each of these three takes several of them.")),
        Misconception(code="TOKENS-ONE", wrong=lambda: 1, recognise=near(1, 0.1), sentence=(
            "A word becomes one token if training has merged it. This one never occurred in the "
            "text; and a token for all that is unknown is not needed, since every byte has one.")),
        Misconception(code="TOKENS-NONE", wrong=lambda: 0, recognise=near(0, 0.1), sentence=(
            "Nothing is dropped: every byte is a token, so every text becomes tokens, and the "
            "tokens become that text again.")),
        Misconception(code="TOKENS-TWO", wrong=lambda: 6, recognise=near(6, 0.1), sentence=(
            "Two bytes each would be right for é or for Greek. These characters lie further back "
            "in Unicode, and UTF-8 takes three bytes for each.")),
    ),
    alternatives=(lambda: 9.0, lambda: len("注意力".encode()), lambda: torch.tensor(9)),
)  # fmt: skip


PREDICT_SHARE = Exercise(
    name="predict_share_of_the_table", slug="tokens-and-embeddings", task="share",
    title="How much of GPT-2 is its table?", kind="predict", points=0.5, difficulty=1,
    importance=2, minutes=5, parameters=(), outputs=(Output(name="prediction", kind="number"),),
    reference=lambda: 0.31, equation="eq-unembed",
    judge=number_near(SHARE, 0.03, "A share lies between 0 and 1", 0, 1), probes=asked,
    next_rung="In GPT-3 it is 0.4 %: layers grow with the square of the width, a table does not.",
    misconceptions=(
        Misconception(code="SHARE-NOTHING", wrong=lambda: 0.004, recognise=near(0.0, 0.1),
                      sentence=(
            "That is true of large models. Here a layer is small, about 7 million numbers, and the "
            "table has more rows than a layer has columns: 50,257.")),
        Misconception(code="SHARE-TWICE", wrong=lambda: 0.47, recognise=near(0.475, 0.03),
                      sentence=(
            "That would be two tables, one for what comes in and one for what goes out. GPT-2 ties "
            "them: the same numbers are used at both ends and counted once.")),
        Misconception(code="SHARE-MOST", wrong=lambda: 0.8, recognise=near(0.8, 0.2), sentence=(
            "Then all layers together would be smaller than the table. There are twelve of about "
            "7 million numbers each, and the table has 39 million.")),
    ),
    alternatives=(lambda: 0.3, lambda: torch.tensor(0.31)),
)  # fmt: skip

#: The sentences to choose from: code -> what went wrong.
BUGS = {
    "UNKNOWN-TOKEN": "The emoji is in no token, so it was replaced by a token for the unknown.",
    "LATIN-1": "The bytes are read as Latin-1 instead of UTF-8.",
    "EACH-ALONE": "Each token is turned into text by itself, before they are put together.",
    "LAST-BYTE": "The last byte of each token is lost.",
}


def _broken(tokens: list[bytes]) -> list[int]:
    """Re-made after github.com/netdur/llama_cpp_dart/issues/90; none of its code."""
    return [ord(one) for token in tokens for one in token.decode("utf-8", errors="replace")]


def _right(tokens: list[bytes]) -> list[int]:
    return [ord(one) for one in b"".join(tokens).decode("utf-8", errors="replace")]


def _shown() -> Any:
    return ([b"\xe6\xb3", b"\xa8", b"!"],)


def _blind() -> Any:
    return (["注".encode(), b" and ", "é".encode()],)


_DIAGNOSIS = Diagnosis(
    code="EACH-ALONE", bugs=BUGS, inputs=("tokens",), shown=_shown, tokens=frozenset({"tokens"})
)

FIND_THE_BUG = Exercise(
    name="diagnose_broken_emoji", slug="tokens-and-embeddings", task="bug", title="Find the bug",
    kind="bug", points=0.5, difficulty=2, importance=3, minutes=10, parameters=(),
    outputs=(Output(name="code", kind="any"), Output(name="inputs", kind="any")),
    reference=_DIAGNOSIS.answer(), equation="eq-lowest-rank", probes=asked,
    judge=_DIAGNOSIS.judge, view=_DIAGNOSIS.view, functions={BROKEN: _broken, RIGHT: _right},
    next_rung="Who shows text while it is written keeps the bytes of an unfinished character back.",
    misconceptions=(
        _DIAGNOSIS.mistake("BUG-UNKNOWN", "UNKNOWN-TOKEN", (
            "Byte-level tokens know nothing unknown: three tokens of the trace hold all bytes "
            "of the emoji, and put together they are it.")),
        _DIAGNOSIS.mistake("BUG-LATIN", "LATIN-1", (
            "Latin-1 has a character for every byte, so the trace would show ð and signs, and "
            "never the mark of what cannot be read.")),
        _DIAGNOSIS.mistake("BUG-LOST", "LAST-BYTE", (
            "The tokens are printed whole, and no letter of the plain words is missing. The bytes "
            "are all there, but torn apart.")),
        _DIAGNOSIS.mistake("BUG-BLIND", "EACH-ALONE", (
            "The mistake is the right one, but on these tokens it cannot be seen: no character of "
            "several bytes is cut by the end of a token so that it could still be read."),
            shown=_blind),
    ),
    alternatives=(
        _DIAGNOSIS.answer(shown=lambda: ([b"\xc3", b"\xa9"],)),
        lambda: ["EACH-ALONE", [(b"so \xf0\x9f", b"\x98\x80")]],
    ),
)  # fmt: skip
