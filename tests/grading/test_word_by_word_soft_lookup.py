"""Answers of soft lookup that are right but for one word of the contract: each is refused.

Every row is a plausible answer that ignores a word, and the word, as in `test_word_by_word.py`.
"""

import math
from typing import Any

import pytest
import torch

from grading import check
from grading.exercises import all_exercises

pytestmark = pytest.mark.filterwarnings("ignore")


def squares(query: Any, keys: Any) -> Any:
    return (query[:, None] - keys).square().sum(-1)


def hard(query: Any, keys: Any, values: Any) -> Any:
    return values[squares(query, keys).argmin(-1)]


def soft(query: Any, keys: Any, values: Any, temperature: float) -> Any:
    return (-squares(query, keys) / temperature).softmax(-1) @ values


def kernel(xq: Any, xk: Any, y: Any, width: float) -> Any:
    return (-((xq[:, None] - xk) ** 2) / (2 * width**2)).softmax(-1) @ y


def additive(query: Any, key: Any, w_q: Any, w_k: Any, v: Any) -> Any:
    return torch.tanh((query @ w_q)[..., :, None, :] + (key @ w_k)[..., None, :, :]) @ v


def align(state: Any, encoded: Any, lengths: Any, w_q: Any, w_k: Any, v: Any) -> Any:
    is_token = torch.arange(encoded.shape[1]) < lengths[:, None]
    scores = additive(state[:, None], encoded, w_q, w_k, v)[:, 0]
    weights = scores.masked_fill(~is_token, torch.finfo(scores.dtype).min).softmax(-1) * is_token
    return (weights[:, None] @ encoded)[:, 0], weights


def in_float32(right: Any) -> Any:
    """A right function that makes a tensor of its own, in float32 or float64 only."""
    return lambda *given: (
        right(*given)
        * (1.0 if given[0].dtype != torch.bfloat16 else torch.ones(1, dtype=torch.float32))
    )


def rows(right: Any, number: int) -> Any:
    """Loops over a fixed number of rows of the first argument."""
    return lambda first, *rest: torch.cat([right(first[t : t + 1], *rest) for t in range(number)])


def whole_temperature(query: Any, keys: Any, values: Any, temperature: float) -> Any:
    return soft(query, keys, values, max(1, int(temperature)))


def cold_at_most(query: Any, keys: Any, values: Any, temperature: float) -> Any:
    return soft(query, keys, values, max(temperature, 1.0))


def one_sequence(query: Any, key: Any, w_q: Any, w_k: Any, v: Any) -> Any:
    if query.ndim != 3:
        raise ValueError("query has B, T and C")
    return additive(query, key, w_q, w_k, v)


def one_size(query: Any, key: Any, w_q: Any, w_k: Any, v: Any) -> Any:
    return additive(query, key[..., : query.shape[-1]], w_q, w_k[: query.shape[-1]], v)


def untied(query: Any, keys: Any, values: Any) -> Any:
    """Of keys that are equally near, the one with the highest place."""
    distances = squares(query, keys)
    places = torch.arange(len(keys))
    return values[torch.where(distances == distances.amin(-1, keepdim=True), places, -1).amax(-1)]


def detached(query: Any, keys: Any, values: Any) -> Any:
    return hard(query, keys, values).detach()


def never_empty(state: Any, encoded: Any, lengths: Any, *parameters: Any) -> Any:
    return align(state, encoded, lengths.clamp(min=1), *parameters)


def one_length(state: Any, encoded: Any, lengths: Any, *parameters: Any) -> Any:
    return align(state, encoded, lengths.max().expand(len(state)), *parameters)


def zeros_alone(state: Any, encoded: Any, lengths: Any, *parameters: Any) -> Any:
    """Takes whatever is not 0 for a token."""
    return align(state, encoded, (encoded != 0).any(-1).sum(-1), *parameters)


def curve(S: int, width: float, n: int, generator: Any, *, noise: float = 0.5) -> float:
    x = torch.rand(n, S, generator=generator, dtype=torch.float64)
    y = torch.sin(2 * math.pi * x) + noise * torch.randn(n, S, generator=generator).double()
    estimates = ((-((x - 0.25) ** 2) / (2 * width**2)).softmax(-1) * y).sum(-1)
    return float(((estimates - 1) ** 2).mean())


def one_noise(S: int, width: float, n: int, generator: Any) -> float:
    """All places of a set share their noise."""
    x = torch.rand(n, S, generator=generator)
    y = torch.sin(2 * math.pi * x) + 0.5 * torch.randn(n, 1, generator=generator)
    estimates = ((-((x - 0.25) ** 2) / (2 * width**2)).softmax(-1) * y).sum(-1)
    return float(((estimates - 1) ** 2).mean())


def elsewhere(S: int, width: float, n: int, generator: Any) -> float:
    """The error at one half, where the curve is 0."""
    x = torch.rand(n, S, generator=generator)
    y = torch.sin(2 * math.pi * x) + 0.5 * torch.randn(n, S, generator=generator)
    estimates = ((-((x - 0.5) ** 2) / (2 * width**2)).softmax(-1) * y).sum(-1)
    return float((estimates**2).mean())


#: The exercise, the word, and an answer that ignores it.
ROWS: tuple[tuple[str, str, Any], ...] = (
    ("hard_lookup", "the first of equals", untied),
    ("hard_lookup", "any T", rows(hard, 7)),
    ("hard_lookup", "the gradient flows to the values", detached),
    ("hard_lookup", "bfloat16", in_float32(hard)),
    ("predict_hot_share", "between 0 and 1", lambda: 33),
    ("predict_hot_share", "one number", lambda: [0.33, 0.33, 0.33]),
    ("predict_hot_share", "the temperature 1000", lambda: 0.72),
    ("soft_lookup", "any number above 0", whole_temperature),
    ("soft_lookup", "below 1 too", cold_at_most),
    ("soft_lookup", "any T", rows(soft, 7)),
    ("soft_lookup", "bfloat16", in_float32(soft)),
    ("kernel_regression", "any width above 0", lambda xq, xk, y, width: kernel(
        xq, xk, y, max(1.0, width))),
    ("kernel_regression", "any T", rows(kernel, 7)),
    ("kernel_regression", "bfloat16", in_float32(kernel)),
    ("predict_far_height", "one number", lambda: [6.0, 3.0, 12.0]),
    ("predict_far_height", "at 50", lambda: 7.0),
    ("predict_far_height", "finite", lambda: math.nan),
    ("curve_error", "n sets", lambda S, width, n, generator: curve(S, width, 4000, generator)),
    ("curve_error", "S places", lambda S, width, n, generator: curve(20, width, n, generator)),
    ("curve_error", "noise of its own at each place", one_noise),
    ("curve_error", "at one quarter", elsewhere),
    ("additive_scores", "leading axes: any number", one_sequence),
    ("additive_scores", "queries and keys of sizes of their own", one_size),
    ("additive_scores", "bfloat16", in_float32(additive)),
    ("align_step", "from 0", never_empty),
    ("align_step", "the tokens of each source", one_length),
    ("align_step", "what stands in the padding has no influence", zeros_alone),
    ("align_step", "a pair", lambda *given: torch.cat(align(*given), -1)),
    ("diagnose_padding", "one of the codes", lambda: ("SCORE OF ZERO", (torch.eye(2),) * 2)),
    ("diagnose_padding", "different results", lambda: (
        "SCORE-OF-ZERO", (torch.randn(2, 3), torch.ones(2, 3)))),
    ("diagnose_padding", "tensors", lambda: ("SCORE-OF-ZERO", ([[1.0, 2.0]], [[1.0, 0.0]]))),
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
    for exercise in (one for one in all_exercises() if one.slug == "soft-lookup"):
        assert exercise.kind == "test" or sum(row[0] == exercise.name for row in ROWS) >= 3


def test_what_they_are_made_of_is_right() -> None:
    """So each is refused for its word alone."""
    right = {
        "hard_lookup": hard, "soft_lookup": soft, "kernel_regression": kernel,
        "additive_scores": additive, "align_step": align, "curve_error": curve,
    }  # fmt: skip
    for name, answer in right.items():
        assert check(answer, exercise=name).passed, name
