"""bpe_train: which neighbours are merged, learnt from a text."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

from grading.exercise import Exercise, Inputs, Law, LeftOut, Misconception, Output, Probe, Seen
from grading.exercises.shared.stepwise import mistake
from grading.exercises.tokens_and_embeddings.telling import (
    BYTE_IDS,
    EXACT,
    ids_of_merges,
    merges_in_words,
)
from grading.exercises.tokens_and_embeddings.training_others import (
    OTHER_ORDERS,
    OTHER_TIES,
    first_counts_alone,
    substring,
    the_most_frequent_first,
)
from grading.exercises.tokens_and_embeddings.training_steps import DEFAULT, STEPS
from grading.late import late
from grading.observation.values import described

__all__ = ["BPE_TRAIN"]

library = late("course_lib.tokenizer.bpe")
regex = late("regex")

#: What stands between spaces; a whole text.
WORDS, ALL = r"\S+", r"(?s).+"


def _text(name: str, text: str, merges: int, pattern: Any = None, **more: Any) -> Probe:
    """Ask for so many merges; without a pattern the argument is left out."""

    def draw(generator: Any) -> Inputs:
        given = LeftOut(DEFAULT) if pattern is None else pattern
        return {"text": text, "merges": merges, "pattern": given}

    sizes = {} if more.get("edge") else {"merges": merges}
    return Probe(name=name, draw=draw, sizes=sizes, **more)


def _pairs_of_bytes(one: Seen) -> str | None:
    merges = one.outputs[0]
    if not isinstance(merges, list):
        return f"merges has to be a list; yours is {described(merges)}"
    for number, merge in enumerate(merges):
        if not isinstance(merge, tuple) or len(merge) != 2:
            what = f"{described(merge)} of {len(merge)}" if isinstance(merge, tuple) else ""
            return f"Entry {number} has to be a tuple of two; it is {what or described(merge)}"
        for part in merge:
            if not isinstance(part, bytes):
                hint = ". `piece.encode()` makes bytes of a text" if isinstance(part, str) else ""
                return f"Entry {number} has to hold bytes; {part!r} is {described(part)}{hint}"
    return None


# -- right answers in other styles -----------------------------------------------------------------


def _with_ids(text: str, merges: int, pattern: str) -> list[tuple[bytes, bytes]]:
    """Work with ids instead of tokens, on distinct pieces that carry their counts."""
    tokens = list(BYTE_IDS)
    pieces = Counter(regex.findall(pattern, text))
    words = {piece: [BYTE_IDS[bytes([one])] for one in piece.encode()] for piece in pieces}
    learnt: list[tuple[bytes, bytes]] = []
    for _ in range(merges):
        counts: dict[tuple[int, int], int] = {}
        for piece, ids in words.items():
            for pair in pairwise(ids):
                counts[pair] = counts.get(pair, 0) + pieces[piece]
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], *pair))
        learnt.append((tokens[best[0]], tokens[best[1]]))
        tokens.append(b"".join(learnt[-1]))
        for ids in words.values():
            at = 0
            while at < len(ids) - 1:
                if (ids[at], ids[at + 1]) == best:
                    ids[at : at + 2] = [len(tokens) - 1]
                at += 1
    return learnt


def _by_replacing_letters(text: str, merges: int, pattern: str) -> list[tuple[bytes, bytes]]:
    """Give each token a letter of its own, and let the texts be replaced by Python."""
    token = {chr(number): one for one, number in BYTE_IDS.items()}
    letter = {one: sign for sign, one in token.items()}
    found = regex.findall(pattern, text)
    words = ["".join(letter[bytes([one])] for one in piece.encode()) for piece in found]
    learnt: list[tuple[bytes, bytes]] = []
    while len(learnt) < merges:
        counts = Counter(word[at : at + 2] for word in words for at in range(len(word) - 1))
        if not counts:
            break
        best = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[0][0]
        new = chr(1000 + len(learnt))
        learnt.append((token[best[0]], token[best[1]]))
        token[new] = token[best[0]] + token[best[1]]
        words = [word.replace(best, new) for word in words]
    return learnt


def _in_rounds(text: str, merges: int, pattern: str) -> list[tuple[bytes, bytes]]:
    """Call itself for one merge after the other, with the pieces as they are by then."""
    order = dict(BYTE_IDS)

    def learn(words: list[list[bytes]], left: int) -> list[tuple[bytes, bytes]]:
        pairs = [pair for word in words for pair in pairwise(word)]
        if not (left and pairs):
            return []
        counts = Counter(pairs)
        first, second = max(
            sorted(counts, key=lambda pair: [order[one] for one in pair]), key=counts.__getitem__
        )
        order[first + second] = len(order)
        shorter = [_joined(word, first, second) for word in words]
        return [(first, second), *learn(shorter, left - 1)]

    pieces = regex.findall(pattern, text)
    return learn([[bytes([one]) for one in piece.encode()] for piece in pieces], merges)


def _joined(word: list[bytes], first: bytes, second: bytes) -> list[bytes]:
    rest, result = list(word), []
    while rest:
        token = rest.pop(0)
        if token == first and rest and rest[0] == second:
            token += rest.pop(0)
        result.append(token)
    return result


BPE_TRAIN = Exercise(
    name="bpe_train", slug="tokens-and-embeddings", task="train", title="Learn the merges",
    kind="implement", points=1.75, difficulty=3, importance=3, minutes=35,
    parameters=("text", "merges", "pattern"), defaults={"pattern": DEFAULT},
    outputs=(Output(name="merges", kind="any"),), tolerance=EXACT, alike=EXACT,
    reference=lambda text, merges, pattern: library.bpe_train(text, merges, pattern),
    equation="eq-merge", part="course_lib.tokenizer.bpe.bpe_train", steps=STEPS,
    laws=(Law(rule="merges are a list of pairs of bytes", broken=_pairs_of_bytes),),
    view=ids_of_merges, told=merges_in_words,
    next_rung="Train 600 merges on the whole play, and read which words became one token.",
    probes=(
        _text("three words, one of them twice", "low lower lowest low", 5),
        _text("one word four times", "the then hat hat hat hat", 4),
        _text("equal letters in a row", "aaa aaaa ab ab ab ab", 4, WORDS),
        _text("pairs that are equally frequent", " b-a a-b ab ba", 3, ALL),
        _text("a text that is one piece", "to be to be to be", 6, ALL),
        _text("letters of several bytes", "é é 你好 你们 你好 é é", 7, WORDS),
        _text("apostrophes and numbers", "it's John's, it's 10 o'clock, it's", 8, DEFAULT),
        _text("another pattern", "x=10 x=10 x=100", 9, r"\d|\D+"),
        _text("a pair that ends like a longer token", "xa xa xa xab ab ab xab", 3, WORDS),
        _text("more merges than there are neighbours", "ab abc", 12),
        _text("no merges", "low lower", 0, edge=True),
        _text("no text", "", 5, edge=True),
        _text("one letter", "a", 5, edge=True),
    ),
    misconceptions=(
        mistake(STEPS, "BPE-NOSPLIT", (
            "The text is not cut into pieces first, or pairs are counted across the cuts: merges "
            "reach over the end of a piece. No token may hold two pieces.")),
        mistake(STEPS, "BPE-PATTERN", (
            "The pattern that is handed over is not used: the text is always cut as GPT-2 does.")),
        mistake(STEPS, "BPE-WORDS", (
            "The text is cut at spaces, and they are lost. The pattern says what a piece is, and a "
            "space may belong to it.")),
        mistake(STEPS, "BPE-CHARS", (
            "The smallest parts are characters, so nothing is ever merged inside of one. They are "
            "bytes: a letter beyond ASCII consists of two to four, which have to be learnt "
            "together like any others.")),
        mistake(STEPS, "BPE-ENDMARK", (
            "A mark is put behind each piece and merged like a letter. Here nothing is added: that "
            "a word ends shows in the space before the next one.")),
        mistake(STEPS, "BPE-FREQ", (
            "A piece that stands in the text several times counts once. Its pairs count as often "
            "as it stands there.")),
        mistake(STEPS, "BPE-COUNTOVERLAP", (
            "Occurrences that overlap are counted once. Every position counts here: three equal "
            "tokens in a row hold the pair twice, though only one of the two can be merged.")),
        mistake(STEPS, "BPE-COUNTWORDS", (
            "A pair counts once for each piece that holds it, and not for each place in it.")),
        mistake(STEPS, "BPE-MINFREQ", (
            "Learning stops where no pair occurs twice any more. It goes on as long as there are "
            "neighbours, until there are as many merges as were asked for.")),
        mistake(STEPS, "BPE-TIE", (
            "Of pairs that are equally frequent another one is taken, such as the first that was "
            "met, or the largest. Take the one with the smallest id on the left, and of those the "
            "one with the smallest on the right."), *OTHER_TIES),
        mistake(STEPS, "BPE-BYTEORDER", (
            "Equally frequent pairs are ordered by the bytes themselves. Their ids decide, and in "
            "BYTE_RANKS a space stands behind all letters, and a merged token behind all bytes."),
            *OTHER_ORDERS),
        mistake(STEPS, "BPE-RAREST", (
            "The rarest pair is merged. It is the most frequent one that makes a text shorter.")),
        mistake(STEPS, "BPE-OVERLAP", (
            "Where occurrences of the pair overlap, a token is merged twice. Of three equal tokens "
            "the first two become one, and the third stays.")),
        mistake(STEPS, "BPE-STEPONE", (
            "After a merge the second token of the pair stays in the piece and is counted again. "
            "Go on behind both.")),
        mistake(STEPS, "BPE-RIGHTLEFT", (
            "Equal tokens in a row are merged from the right. Of three, the first two become "
            "one.")),
        mistake(STEPS, "BPE-ONEPASS", (
            "In each piece only the first occurrence of the pair is merged. All are, before pairs "
            "are counted again.")),
        Misconception(code="BPE-SUBSTRING", wrong=substring, sentence=(
            "The pair is also merged where only the end of a longer token is its left half, or the "
            "beginning of one its right half, as a search in a text of tokens does. Both tokens "
            "have to be whole.")),
        Misconception(code="BPE-COUNTONCE", wrong=first_counts_alone, also=(
            the_most_frequent_first,), sentence=(
            "Pairs of bytes are counted once, and the most frequent ones returned. After each "
            "merge the neighbours are others: count again, the merged token among them.")),
        Misconception(code="BPE-NONE", wrong=lambda text, merges, pattern: [], also=(
            lambda text, merges, pattern: STEPS.answer()(text, max(0, merges - 256), pattern),),
            sentence=(
            "The list is always empty. `merges` says how many are learnt; it is not the size of a "
            "vocabulary, which has 256 tokens more.")),
    ),
    alternatives=(_with_ids, _by_replacing_letters, _in_rounds),
)  # fmt: skip
