"""The steps of attention with a cache, and under which code each is done wrongly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grading.exercises.kv_cache_and_gqa.rotating import backwards, halves, neighbours
from grading.late import Tensor, torch
from grading.steps import Pipeline, Step

__all__ = ["MORE", "STEPS", "cached"]

Way = Callable[..., Any]


def _attend(do: Any) -> Way:
    """Put the steps in a row: turn what is new, join it to what is kept, read, keep."""

    def attend_with_cache(
        query: Tensor, key_new: Tensor, value_new: Tensor, key_cache: Tensor, value_cache: Tensor,
        base: float = 10000.0,
    ) -> Any:  # fmt: skip
        P, T = key_cache.shape[-2], query.shape[-2]

        def turn(rows: Tensor, first: int) -> Any:
            positions = torch.arange(first, first + rows.shape[-2])
            return do.turn(rows, positions, do.base(base))

        q, k, v = do.turned(query, key_new, value_new, turn, do.start(P))
        key, value = do.join(key_cache, k), do.join(value_cache, v)
        key = do.again(key, turn, P)
        may = do.mask(torch.ones(T, key.shape[-2], dtype=torch.bool), P)
        output = do.read(q @ key.mT * do.scale(q), may, value)
        return output, *do.keep((key, value), (key_cache, value_cache), key_new)

    return attend_with_cache


def _read(scores: Tensor, may: Tensor, value: Tensor) -> Any:
    return scores.masked_fill(~may, torch.finfo(scores.dtype).min).softmax(-1) @ value


def _joined(kept: Tensor, new: Tensor) -> Any:
    return torch.cat([kept, new], -2)


def _turned(
    queries: bool = True, keys: bool = True, values: bool = False, at: Way = lambda start: start,
    other: Way | None = None,
) -> Way:  # fmt: skip
    """Return a step that turns some of the three, from where `at` or, for keys, `other` says."""

    def turned(q: Tensor, k: Tensor, v: Tensor, turn: Way, start: int) -> Any:
        first = at(start)
        second = first if other is None else other(start)
        return (
            turn(q, first) if queries else q,
            turn(k, second) if keys else k,
            turn(v, second) if values else v,
        )

    return turned


def _cached_once_more(key: Tensor, turn: Way, P: int) -> Any:
    return torch.cat([turn(key[..., :P, :], 0), key[..., P:, :]], -2)


def _all_once_more(key: Tensor, turn: Way, P: int) -> Any:
    return turn(key, 0)


def _unturned(pair: Any, caches: Any, key_new: Tensor) -> Any:
    return _joined(caches[0], key_new), pair[1]


STEPS = Pipeline(
    compose=_attend,
    steps=(
        Step(name="start", right=lambda P: P, wrong={"KV-POS0": (lambda P: 0,)}),
        Step(name="turn", right=halves),
        Step(name="base", right=lambda base: base),
        Step(name="turned", right=_turned(), wrong={"ROPE-ONEK": (_turned(keys=False),)}),
        Step(name="join", right=_joined, wrong={
            "KV-ORDER": (lambda kept, new: _joined(new, kept),),
        }),
        Step(name="again", right=lambda key, turn, P: key, wrong={
            "KV-ROPETWICE": (_cached_once_more,),
        }),
        Step(name="scale", right=lambda q: q.shape[-1] ** -0.5, wrong={
            "SDPA-NOSCALE": (lambda q: 1.0,),
        }),
        Step(name="mask", right=lambda ones, P: ones.tril(P), wrong={
            "KV-TOPLEFT": (lambda ones, P: ones.tril(),),
            "KV-NOMASKCHUNK": (lambda ones, P: ones,),
        }),
        Step(name="read", right=_read),
        Step(name="keep", right=lambda pair, caches, key_new: pair, wrong={
            "KV-STALE": (lambda pair, caches, key_new: caches,),
            "KV-KEEPRAW": (_unturned,),
        }),
    ),
)  # fmt: skip


def cached(**steps: Way) -> Way:
    """Return attention with a cache in which some steps are done in another way."""
    return STEPS.answer(steps)


def _read_twice_turned(*given: Any) -> Any:
    """Turn cached keys once more for the scores, and keep them as they were."""
    output = cached(again=_cached_once_more)(*given)[0]
    return output, *cached()(*given)[1:]


def _new_alone(*given: Any) -> Any:
    """Keep the new rows alone."""
    output, key, value = cached()(*given)
    P = given[3].shape[-2]
    return output, key[..., P:, :], value[..., P:, :]


def _along(axis: int) -> Way:
    return lambda kept, new: torch.cat([kept, new], axis)


def _in_place(
    query: Tensor, key_new: Tensor, value_new: Tensor, key_cache: Tensor, value_cache: Tensor,
    base: float = 10000.0,
) -> Any:  # fmt: skip
    """Turn the new keys where they lie."""
    found = cached()(query, key_new, value_new, key_cache, value_cache, base)
    with torch.no_grad():
        key_new.copy_(found[1][..., key_cache.shape[-2] :, :])
    return found


#: More ways of the same mistakes, and mistakes that are seldom made beside another: no products.
MORE: dict[str, tuple[Way, ...]] = {
    "KV-POS0": (
        cached(turned=_turned(at=lambda start: 0, other=lambda start: start)),
        cached(turned=_turned(other=lambda start: 0)),
    ),
    "KV-POSOFF": (
        cached(start=lambda P: P + 1), cached(start=lambda P: P - 1 if P else 0),
        cached(turned=_turned(at=lambda start: start + 1, other=lambda start: start)),
    ),
    "KV-ROPETWICE": (cached(again=_all_once_more), _read_twice_turned),
    "KV-AXIS": (cached(join=_along(1)), cached(join=_along(0)), cached(join=_along(-1))),
    "KV-NOMASKCHUNK": (
        cached(mask=lambda ones, P: ones if P else ones.tril()),
        cached(mask=lambda ones, P: ones.tril() if ones.shape[0] == ones.shape[1] else ones),
    ),
    "KV-STALE": (_new_alone,),
    "KV-NOSELF": (cached(mask=lambda ones, P: ones.tril(P - 1)),),
    "KV-ALIAS": (_in_place,),
    "ROPE-ONEK": (cached(turned=_turned(queries=False)),),
    "ROPE-NONE": (cached(turned=_turned(queries=False, keys=False)),),
    "ROPE-ONV": (cached(turned=_turned(values=True)),),
    "ROPE-INTERLEAVE": (cached(turn=neighbours),),
    "ROPE-SIGN": (cached(turn=backwards),),
    "ROPE-BASE": (cached(base=lambda base: 10000.0),),
}  # fmt: skip
