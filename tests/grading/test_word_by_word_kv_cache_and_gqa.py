"""Answers on the cache and grouped queries, right but for one word of the contract: all refused."""

from typing import Any

import pytest
import torch
from answers_from_threads_kv_cache_and_gqa import (
    cached,
    drafted,
    first_above,
    grouped_by_an_index,
    latent_attention,
    norm,
    turn,
)

from grading import check
from grading.exercises.kv_cache_and_gqa import EXERCISES

pytestmark = pytest.mark.filterwarnings("ignore")

cache, group, latent, draft = cached(), grouped_by_an_index, latent_attention(), drafted()


def bytes_kept(layers: int, G: int, D: int, T: int, bytes: int, windows: Any = None) -> int:
    kept = sum(T if one is None else min(one, T) for one in windows or [None] * layers)
    return 2 * G * D * bytes * kept


def pool(w_k: Any, G: int, H: int) -> Any:
    return w_k.unflatten(1, (G, H // G, -1)).mean(2).flatten(1)


def kept(V: int, apart: float, trials: int, generator: Any) -> float:
    z = torch.randn(trials, V, generator=generator)
    other = z + apart * torch.randn(trials, V, generator=generator)
    return float(torch.minimum(z.softmax(-1), other.softmax(-1)).sum(-1).mean())


def only_for(right: Any, holds: Any) -> Any:
    """A right function that raises where its inputs are not as it expects."""

    def answer(*given: Any) -> Any:
        if not holds(*given):
            raise ValueError("not prepared for that")
        return right(*given)

    return answer


def in_float32(right: Any) -> Any:
    """A right function that brings a tensor of its own, in float32, and so a result in it."""

    def answer(*given: Any) -> Any:
        one = torch.ones(1, dtype=torch.float32)
        found = right(*given)
        return tuple(part * one for part in found) if isinstance(found, tuple) else found * one

    return answer


def detached(right: Any) -> Any:
    def answer(*given: Any) -> Any:
        found = right(*given)
        return tuple(one.detach() for one in found) if isinstance(found, tuple) else found.detach()

    return answer


def whole_cache(given: Any) -> bool:
    return bool(given[3].shape[2])


def mask_of(count: int) -> Any:
    return lambda query, key, value, may_attend=None: may_attend is None or may_attend.ndim == count


def empty_rows_read(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
    if may_attend is not None:
        may_attend = may_attend | ~may_attend.any(-1, keepdim=True)
    return group(query, key, value, may_attend)


def expanded_mask(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
    """Take a mask's own axes for those of the scores."""
    if may_attend is not None and may_attend.ndim == 4:
        may_attend = may_attend.reshape(-1, *may_attend.shape[-2:])[:1]
    return group(query, key, value, may_attend)


def latent_of(**change: Any) -> Any:
    return latent_attention(**change)


def starting_late(*given: Any) -> Any:
    """Turn queries and keys from position 1 for the queries alone."""
    x = given[0]

    def later(rows: Any, at: Any, base: float) -> Any:
        return turn(rows, at + (1 if rows.ndim == 4 else 0), base)

    assert x.ndim == 3
    return latent_attention(rotate=later)(*given)


def as_tensor(*given: Any) -> Any:
    return torch.tensor(draft(*given))


def draws_by_its_own(draft_probs: Any, target_probs: Any, drafts: Any, uniform: Any) -> list[int]:
    found = draft(draft_probs, target_probs, drafts, uniform)
    return [*found[:-1], first_above(target_probs[len(found) - 1], 0.5)]


ROWS: tuple[tuple[str, str, Any], ...] = (
    ("kv_cache_bytes", "an int", lambda *given: float(bytes_kept(*given))),
    ("kv_cache_bytes", "windows=None", only_for(bytes_kept, lambda *given: len(given) == 6)),
    ("kv_cache_bytes", "None, where it keeps all", only_for(
        bytes_kept, lambda *given: None not in (given[5] or [0] if len(given) > 5 else [0]))),
    ("kv_cache_bytes", "so many bytes", lambda layers, G, D, T, bytes, windows=None: bytes_kept(
        layers, G, D, T, 2, windows)),
    ("kv_cache_bytes", "keys and values of G heads",
     lambda layers, G, *others: bytes_kept(layers, 8, *others)),
    ("predict_window_saving", "within 0.01", lambda: 1.95),
    ("predict_window_saving", "one number", lambda: [1.998]),
    ("predict_window_saving", "a factor", lambda: 0.5),
    ("attend_with_cache", "P may be 0", only_for(cache, lambda *given: whole_cache(given))),
    ("attend_with_cache", "base=10000.0", lambda q, k, v, a, b, base=500.0: cache(
        q, k, v, a, b, base)),
    ("attend_with_cache", "a tuple of three", lambda *given: cache(*given)[0]),
    ("attend_with_cache", "the output first", lambda *given: (*cache(*given)[1:],
                                                              cache(*given)[0])),
    ("attend_with_cache", "Dv need not be D", only_for(
        cache, lambda *given: given[0].shape[-1] == given[2].shape[-1])),
    ("attend_with_cache", "bfloat16", in_float32(cache)),
    ("attend_with_cache", "gradients flow", detached(cache)),
    ("attend_with_cache", "T may be 1", only_for(cache, lambda *given: given[0].shape[2] > 1)),
    ("grouped_query_attention", "G may be 1", only_for(
        group, lambda query, key, *others: key.shape[1] > 1)),
    ("grouped_query_attention", "G may be H", only_for(
        group, lambda query, key, *others: key.shape[1] < query.shape[1])),
    ("grouped_query_attention", "nothing to read: zeros", empty_rows_read),
    ("grouped_query_attention", "a mask of T S", only_for(group, mask_of(4))),
    ("grouped_query_attention", "a mask of four axes", only_for(group, mask_of(2))),
    ("grouped_query_attention", "each of that size or 1", expanded_mask),
    ("grouped_query_attention", "Dv need not be D", only_for(
        group, lambda query, key, value, *others: key.shape[-1] == value.shape[-1])),
    ("grouped_query_attention", "bfloat16", in_float32(group)),
    ("mha_to_gqa", "G may be 1", only_for(pool, lambda w_k, G, H: G > 1)),
    ("mha_to_gqa", "H heads", lambda w_k, G, H: pool(w_k, G, 2 * G)),
    ("mha_to_gqa", "bfloat16", in_float32(pool)),
    ("mha_to_gqa", "more digits than float32 has",
     lambda w_k, G, H: pool(w_k.float(), G, H).to(w_k.dtype)),
    ("mla_attention", "base=10000.0", lambda *given: latent(
        *given, *((500.0,) if len(given) == 10 else ()))),
    ("mla_attention", "eps=1e-6", lambda *given: latent(
        *given, *((10000.0,) if len(given) == 10 else ()), *((1e-2,) if len(given) < 12 else ()))),
    ("mla_attention", "positions 0 …", starting_late),
    ("mla_attention", "Dr need not be D", only_for(
        latent, lambda *given: given[1].shape[1] == given[2].shape[1])),
    ("mla_attention", "eps under the root", latent_of(
        latent_of=lambda rows, g, eps: norm(rows, g, 0.0) / (1 + eps))),
    ("mla_attention", "bfloat16", in_float32(latent)),
    ("mla_attention", "gradients flow", detached(latent)),
    ("mla_attention", "H heads", lambda *given: latent(*given[:9], 1, *given[10:])),
    ("accept_draft", "a list", as_tensor),
    ("accept_draft", "by uniform[n], in both cases", draws_by_its_own),
    ("accept_draft", "from the first token on",
     lambda p, q, tokens, u: draft(p.flip(0), q, tokens, u)),
    ("accept_draft", "ints", lambda *given: [one + 0.5 for one in draft(*given)]),
    ("share_kept", "one number", lambda *given: torch.tensor([kept(*given)] * 2)),
    ("share_kept", "V logits", lambda V, *others: kept(10, *others)),
    ("share_kept", "apart", lambda V, apart, *others: kept(V, 1.0, *others)),
    ("share_kept", "so many trials", lambda V, apart, trials, generator: kept(
        V, apart, 9 * trials, generator)),
)  # fmt: skip


@pytest.mark.parametrize(
    ("exercise", "answer"), [pytest.param(row[0], row[2], id=f"{row[0]}: {row[1]}") for row in ROWS]
)
def test_an_answer_that_ignores_a_word_of_the_contract_is_refused(
    exercise: str, answer: Any
) -> None:
    result = check(answer, exercise=exercise)
    assert not result.passed, str(result)
    assert result.points == 0


def test_each_exercise_has_three_such_answers() -> None:
    for exercise in (one for one in EXERCISES if one.kind not in ("test", "bug")):
        assert sum(row[0] == exercise.name for row in ROWS) >= 3, exercise.name


def test_what_they_are_made_of_is_right() -> None:
    right = {
        "kv_cache_bytes": bytes_kept, "attend_with_cache": cache,
        "grouped_query_attention": group, "mha_to_gqa": pool, "mla_attention": latent,
        "accept_draft": draft, "share_kept": kept,
    }  # fmt: skip
    for name, answer in right.items():
        result = check(answer, exercise=name)
        assert result.passed, str(result)
