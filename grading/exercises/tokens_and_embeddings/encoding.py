"""bpe_encode: one piece becomes ids, the merge that was learnt first before all others."""

from __future__ import annotations

import heapq
from itertools import pairwise
from typing import Any

from grading.exercise import Exercise, Inputs, Law, Misconception, Output, Probe, Seen
from grading.exercises.shared.stepwise import mistake
from grading.exercises.tokens_and_embeddings.encoding_steps import (
    STEPS,
    greedy,
    in_the_order_of_the_dict,
    in_walks,
    one_sweep,
    two_by_two,
)
from grading.exercises.tokens_and_embeddings.telling import EXACT, pieces_in_words
from grading.late import late

__all__ = ["BPE_ENCODE", "LETTERS", "VOCABULARIES"]

library = late("course_lib.tokenizer.bpe")

Ranks = dict[bytes, int]


def _ranks(*tokens: str | bytes) -> Ranks:
    """Number tokens in their order."""
    made = (one.encode() if isinstance(one, str) else one for one in tokens)
    return {token: number for number, token in enumerate(made)}


def _turned(ranks: Ranks) -> Ranks:
    """Return the same ranks, the largest first."""
    return dict(sorted(ranks.items(), key=lambda pair: -pair[1]))


#: Small vocabularies as training makes them: each token is two earlier ones.
VOCABULARIES = {
    "words": _ranks("e", "l", "o", "r", "s", "t", "w", "es", "lo", "est", "low", "er", "lowe"),
    "letters": _ranks("d", "b", "a", "c", "bc", "ab", "abc", "cd", "abcd", "da"),
    "runs": _ranks("b", "a", "aa", "ab", "aaaa", "aab"),
    "bytes": _ranks(
        b"\xa0", b"\xbd", b"\xe4", b"\xe5", b"\xa5", b"\xbb", b"\xac", b"\xa0\xe5", b"\xe4\xbd",
        b"\xe4\xbd\xa0", b"\xa5\xbd", b"\xe5\xa5\xbd",
    ),
    "ends": _ranks("d", "c", "b", "a", "ab", "cd", "abc"),
    "inside": _ranks("d", "c", "b", "a", "bc", "bcd", "ab", "abcd"),
    "often": _ranks("x", "y", "z", "yx", "xy", "xyx", "zx"),
}  # fmt: skip
LETTERS = VOCABULARIES["letters"]


def _piece(name: str, piece: bytes, ranks: Ranks, **more: Any) -> Probe:
    def draw(generator: Any) -> Inputs:
        return {"piece": piece, "ranks": dict(ranks)}

    sizes = {} if more.get("edge") else {"T": len(piece), "V": len(ranks)}
    return Probe(name=name, draw=draw, sizes=sizes, **more)


def _known(one: Seen) -> str | None:
    """Say which id stands for no token."""
    known = set(one.inputs["ranks"].values())
    odd = next((number for number in one.outputs[0] if number not in known), None)
    return None if odd is None else f"{odd} is the rank of no token"


def _whole(one: Seen) -> str | None:
    names = {rank: token for token, rank in one.inputs["ranks"].items()}
    joined = b"".join(names[number] for number in one.outputs[0])
    piece = one.inputs["piece"]
    return None if joined == piece else f"Put together they are {joined!r}, and not {piece!r}"


# -- right answers in other styles -----------------------------------------------------------------


def _rank_by_rank(piece: bytes, ranks: Ranks) -> list[int]:
    """Go through the vocabulary in the order of learning, and merge each token where it forms."""
    parts = [bytes([one]) for one in piece]
    for token in sorted(ranks, key=lambda one: ranks[one]):
        at = 0
        while at < len(parts) - 1:
            if parts[at] + parts[at + 1] == token:
                parts[at : at + 2] = [token]
            at += 1
    return [ranks[part] for part in parts]


def _looked_up_first(piece: bytes, ranks: Ranks) -> list[int]:
    """Return a piece that is a token at once, as tiktoken does; the rest by cuts."""
    if piece in ranks:
        return [ranks[piece]]
    cuts = list(range(len(piece) + 1))
    while True:
        spans = [
            (ranks[piece[cuts[at] : cuts[at + 2]]], at)
            for at in range(len(cuts) - 2)
            if piece[cuts[at] : cuts[at + 2]] in ranks
        ]
        if not spans:
            return [ranks[piece[start:end]] for start, end in pairwise(cuts)]
        del cuts[min(spans)[1] + 1]


def _all_occurrences(piece: bytes, ranks: Ranks) -> list[int]:
    """Merge every occurrence of the best pair in one go, from the left, in a list of ids."""
    token = {rank: one for one, rank in ranks.items()}
    ids = [ranks[piece[at : at + 1]] for at in range(len(piece))]
    while True:
        known = {pair: token[pair[0]] + token[pair[1]] for pair in pairwise(ids)}
        found = {pair: ranks[union] for pair, union in known.items() if union in ranks}
        if not found:
            return ids
        best, merged = min(found, key=found.__getitem__), min(found.values())
        result: list[int] = []
        at = 0
        while at < len(ids):
            is_here = tuple(ids[at : at + 2]) == best
            result.append(merged if is_here else ids[at])
            at += 1 + is_here
        ids = result


def _with_a_heap(piece: bytes, ranks: Ranks) -> list[int]:
    """Keep the possible merges in a heap, and each part's ends in two lists."""
    ends = list(range(1, len(piece) + 1))  # where the part that begins here ends; 0: none begins
    heap = [(ranks[piece[at : at + 2]], at, at + 2) for at in range(len(piece) - 1)
            if piece[at : at + 2] in ranks]  # fmt: skip
    heapq.heapify(heap)
    while heap:
        _, at, end = heapq.heappop(heap)
        middle = ends[at]
        if not middle or middle >= len(piece) or ends[middle] != end:
            continue  # one of the two has become part of something else
        ends[at], ends[middle] = end, 0
        before = next((b for b in range(at - 1, -1, -1) if ends[b] == at), None)
        spans = [(at, ends[end])] if end < len(piece) else []
        spans += [(before, end)] if before is not None else []
        for start, stop in spans:
            if piece[start:stop] in ranks:
                heapq.heappush(heap, (ranks[piece[start:stop]], start, stop))
    return [ranks[piece[at:end]] for at, end in enumerate(ends) if end]


def _by_recursion(piece: bytes, ranks: Ranks) -> list[int]:
    def cut(parts: tuple[bytes, ...]) -> tuple[bytes, ...]:
        unions = [ranks.get(left + right, len(ranks) + 10**9) for left, right in pairwise(parts)]
        if not unions or min(unions) >= 10**9:
            return parts
        at = unions.index(min(unions))
        return cut((*parts[:at], parts[at] + parts[at + 1], *parts[at + 2 :]))

    return [ranks[one] for one in cut(tuple(bytes([one]) for one in piece))]


BPE_ENCODE = Exercise(
    name="bpe_encode", slug="tokens-and-embeddings", task="encode", title="From bytes to ids",
    kind="implement", points=1.5, difficulty=2, importance=3, minutes=25,
    parameters=("piece", "ranks"), outputs=(Output(name="ids", kind="list"),),
    tolerance=EXACT, alike=EXACT, steps=STEPS,
    reference=lambda piece, ranks: library.bpe_encode(piece, ranks), equation="eq-lowest-rank",
    part="course_lib.tokenizer.bpe.bpe_encode",
    laws=(
        Law(rule="each id is the rank of a token", broken=_known),
        Law(rule="put together, the tokens are the piece", broken=_whole),
    ),
    told=pieces_in_words,
    next_rung="With the ranks of GPT-2 in its place, this is the tokenizer of GPT-2.",
    probes=(
        _piece("a word", b"lowest", VOCABULARIES["words"]),
        _piece("a word that begins with the longest token", b"lowes", VOCABULARIES["words"]),
        _piece("merges that exclude each other", b"abcd", VOCABULARIES["ends"]),
        _piece("a token that forms from its middle", b"dabcd", VOCABULARIES["inside"]),
        _piece("seven letters", b"dabcabd", LETTERS),
        _piece("equal letters in a row", b"aaaaaaab", VOCABULARIES["runs"]),
        _piece("three equal letters", b"aaa", VOCABULARIES["runs"]),
        _piece("two letters of three bytes", "你好".encode(), VOCABULARIES["bytes"]),
        _piece("a letter of which only one half is learnt", "们你".encode(),
               VOCABULARIES["bytes"] | {b"\xbb\xac": 12}),
        _piece("a pair that stands there often", b"xyxyxyzx", VOCABULARIES["often"]),
        _piece("ranks that are listed from the last to the first", b"bcabc", _turned(LETTERS)),
        _piece("a vocabulary of single bytes", b"abba", _ranks("b", "a", "c")),
        _piece("one byte", b"a", LETTERS, edge=True),
        _piece("no bytes", b"", LETTERS, edge=True),
    ),
    misconceptions=(
        Misconception(code="BPE-LONGEST", wrong=greedy, sentence=(
            "The longest token that fits is taken, from the left on. The merge that was learnt "
            "first goes first, even where a longer token would fit.")),
        mistake(STEPS, "BPE-LONGESTPAIR", (
            "Of all neighbours those are merged that give the longest token. The lowest rank "
            "decides: it was learnt first.")),
        mistake(STEPS, "BPE-HIGHEST", (
            "The highest rank is merged first. The lowest one was learnt first, and comes first.")),
        mistake(STEPS, "BPE-LEFTMOST", (
            "The first neighbours from the left that make a token are merged, whatever their rank. "
            "Look at all of them, and merge those whose union has the lowest rank."), in_walks),
        mistake(STEPS, "BPE-FREQUENT", (
            "The neighbours that occur most often in the piece are merged first. That is how "
            "merges are learnt; here the ranks decide, which were counted on another text.")),
        mistake(STEPS, "BPE-PARTRANK", (
            "The ranks of the two halves decide what is merged. Compare the ranks of what the "
            "halves make together.")),
        mistake(STEPS, "BPE-RIGHTLEFT", (
            "Where a pair stands in several places, the last one is merged first. Begin at the "
            "left: of three equal letters, the first two become one.")),
        mistake(STEPS, "BPE-CHARS", (
            "The piece is taken apart into characters. It has to begin with single bytes: the "
            "vocabulary need not hold every character.")),
        mistake(STEPS, "BPE-ONEPASS", (
            "It stops after one merge. Again and again the best neighbours are merged, until no "
            "two of them make a token.")),
        mistake(STEPS, "BPE-NOMERGE", (
            "Nothing is merged: the ids are those of single bytes.")),
        mistake(STEPS, "BPE-BYTEID", (
            "A single byte gets its own value as its id. Its id is its rank, as for every other "
            "token; in GPT-2's vocabulary too the two differ.")),
        Misconception(code="BPE-SWEEP", wrong=one_sweep, sentence=(
            "The piece is gone through once, and neighbours are merged in passing. A merge makes "
            "new neighbours, and all of them are looked at again.")),
        Misconception(code="BPE-TWOBYTWO", wrong=two_by_two, sentence=(
            "The parts are looked at two by two: the first and the second, the third and the "
            "fourth. The second and the third are neighbours as well.")),
        Misconception(code="BPE-DICTORDER", wrong=in_the_order_of_the_dict, sentence=(
            "Tokens are tried in the order in which the dict lists them. Their ranks say which was "
            "learnt first, and a dict may list them in any order.")),
    ),
    alternatives=(
        _rank_by_rank, _looked_up_first, _all_occurrences, _with_a_heap, _by_recursion,
    ),
)  # fmt: skip
