"""merge_pair: one pair of neighbours becomes one token, everywhere."""

from __future__ import annotations

from typing import Any

from grading.exercise import Answer, Exercise, Inputs, Misconception, Output, Probe
from grading.exercises.tokens_and_embeddings.telling import EXACT, ids_in_words
from grading.late import late

__all__ = ["MERGE_PAIR"]

library = late("course_lib.tokenizer.bpe")


def _probe(name: str, ids: list[int], pair: tuple[int, int], merged: int, **more: Any) -> Probe:
    def draw(generator: Any) -> Inputs:
        return {"ids": list(ids), "pair": pair, "merged": merged}

    return Probe(name=name, draw=draw, sizes={"T": len(ids), "merged": merged}, **more)


def _walk(*, matches: Any = None, step: int = 2, most: int = 10**9, end: int = 0) -> Answer:
    """Return a walk from the left in which something is done otherwise."""
    matches = matches or (lambda left, right, pair: (left, right) == tuple(pair))

    def merge_pair(ids: list[int], pair: tuple[int, int], merged: int) -> list[int]:
        result: list[int] = []
        start = 0
        while start < len(ids) - end:
            found = start + 1 < len(ids) and matches(ids[start], ids[start + 1], pair)
            if found and result.count(merged) < most:
                result.append(merged)
                start += step
            else:
                result.append(ids[start])
                start += 1
        return result

    return merge_pair


def _any_order(left: int, right: int, pair: tuple[int, int]) -> bool:
    return {left, right} == set(pair)


def _left_alone(left: int, right: int, pair: tuple[int, int]) -> bool:
    return bool(left == pair[0])


def _overlapping(ids: list[int], pair: tuple[int, int], merged: int) -> list[int]:
    """Write the merged token for every occurrence; a token may stand in two of them."""
    at = [n for n in range(len(ids) - 1) if (ids[n], ids[n + 1]) == tuple(pair)]
    covered = {n for start in at for n in (start, start + 1)}
    return [merged if n in at else one for n, one in enumerate(ids) if n in at or n not in covered]


def _from_the_right(ids: list[int], pair: tuple[int, int], merged: int) -> list[int]:
    backwards = list(reversed(ids))
    return list(reversed(_walk()(backwards, tuple(reversed(pair)), merged)))


def _without_the_pair(ids: list[int], pair: tuple[int, int], merged: int) -> list[int]:
    return [merged if one in pair else one for one in ids]


def _two_by_two(ids: list[int], pair: tuple[int, int], merged: int) -> list[int]:
    result: list[int] = []
    for at in range(0, len(ids), 2):
        two = ids[at : at + 2]
        result += [merged] if tuple(two) == tuple(pair) else two
    return result


def _in_place(ids: list[int], pair: tuple[int, int], merged: int) -> list[int]:
    start = 0
    while start < len(ids) - 1:
        if (ids[start], ids[start + 1]) == tuple(pair):
            ids[start : start + 2] = [merged]
        start += 1
    return ids


def _by_a_stack(ids: list[int], pair: tuple[int, int], merged: int) -> list[int]:
    result: list[int] = []
    is_fresh = False  # the last one has just been merged
    for one in ids:
        if result and not is_fresh and (result[-1], one) == tuple(pair):
            result[-1], is_fresh = merged, True
        else:
            result.append(one)
            is_fresh = False
    return result


def _by_text(ids: list[int], pair: tuple[int, int], merged: int) -> list[int]:
    """Let a text find them: str.replace goes from left to right, without overlaps."""
    letters = "".join(map(chr, ids))
    return [ord(one) for one in letters.replace("".join(map(chr, pair)), chr(merged))]


def _by_recursion(ids: list[int], pair: tuple[int, int], merged: int) -> list[int]:
    if len(ids) < 2:
        return list(ids)
    if tuple(ids[:2]) == tuple(pair):
        return [merged, *_by_recursion(ids[2:], pair, merged)]
    return [ids[0], *_by_recursion(ids[1:], pair, merged)]


MERGE_PAIR = Exercise(
    name="merge_pair", slug="tokens-and-embeddings", task="merge",
    title="Two neighbours become one", kind="implement", points=0.5, difficulty=1, importance=3,
    minutes=10, parameters=("ids", "pair", "merged"), outputs=(Output(name="ids", kind="list"),),
    tolerance=EXACT, alike=EXACT, equation="eq-merge", told=ids_in_words,
    reference=lambda ids, pair, merged: library.merge_pair(ids, pair, merged),
    part="course_lib.tokenizer.bpe.merge_pair",
    next_rung="Of three equal tokens the first two became one. Which did the counting count twice?",
    probes=(
        _probe("three occurrences", [3, 5, 8, 3, 5, 4, 3, 5, 5], (3, 5), 10),
        _probe("the pair in the other order too", [3, 5, 3, 5, 5, 2, 6, 5], (5, 3), 12),
        _probe("three equal tokens in a row", [7, 7, 7, 4, 7], (7, 7), 11),
        _probe("five and four equal tokens in a row", [2, 2, 2, 2, 2, 1, 2, 2, 2, 2], (2, 2), 13),
        _probe("no occurrence", [6, 1, 4], (1, 6), 10),
        _probe("nothing but the pair", [4, 6], (4, 6), 20, edge=True),
        _probe("one token", [4], (4, 4), 20, edge=True),
        _probe("no token", [], (4, 4), 20, edge=True),
    ),
    misconceptions=(
        Misconception(code="BPE-OVERLAP", wrong=_overlapping, sentence=(
            "Where occurrences overlap, a token is used twice: three equal tokens become two "
            "merged ones. A token that has been merged is gone; of three, the first two become one "
            "and the third stays.")),
        Misconception(code="BPE-STEPONE", wrong=_walk(step=1), sentence=(
            "After a merge the walk goes on with the second token of the pair, which is merged "
            "already, and so it stands there once more. Go on behind both.")),
        Misconception(code="BPE-RIGHTLEFT", wrong=_from_the_right, sentence=(
            "Equal tokens in a row are merged from the right. Begin at the left: of three, the "
            "first two become one.")),
        Misconception(code="BPE-ONEPASS", wrong=_walk(most=1), sentence=(
            "Only the first occurrence is merged. All of them are, in one go.")),
        Misconception(code="BPE-TWOBYTWO", wrong=_two_by_two, sentence=(
            "The tokens are looked at two by two, so a pair that begins at an odd place is not "
            "seen. Every place may begin one.")),
        Misconception(code="BPE-EITHERORDER", wrong=_walk(matches=_any_order), sentence=(
            "The pair is merged in both orders. (3, 5) is another pair than (5, 3).")),
        Misconception(code="BPE-LEFTALONE", wrong=_walk(matches=_left_alone), sentence=(
            "The first token of the pair is enough for a merge, whatever stands behind it. Both "
            "have to match.")),
        Misconception(code="BPE-EACH", wrong=_without_the_pair, sentence=(
            "Each token of the pair is replaced by itself. Two neighbours become one: the list "
            "gets shorter.")),
        Misconception(code="BPE-LASTLOST", wrong=_walk(end=1), sentence=(
            "The last token is lost where no merge ends with it: it is no left half of any pair, "
            "and belongs to the result all the same.")),
        Misconception(code="BPE-INPLACE", wrong=_in_place, shows="inputs", sentence=(
            "The list that came in is changed. Whoever handed it over still needs it: write into a "
            "new one.")),
    ),
    alternatives=(_by_a_stack, _by_text, _by_recursion),
)  # fmt: skip
