"""Two rules of every task with tensors: float64 stays float64, and gradients flow to the inputs."""

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from built_site import ROOT

from grading import check
from grading.notebooks import slugs
from grading.verdict.rules import FULL_PRECISION

pytestmark = pytest.mark.filterwarnings("ignore")
Answer = Callable[..., Any]


def softmax_of(x: Any, axis: int) -> Any:
    powers = torch.exp(x - x.amax(axis, keepdim=True))
    return powers / powers.sum(axis, keepdim=True)


def half_way(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
    return softmax_of(x.float(), axis).to(x.dtype)


def weights_alone(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
    scores = (query @ key.mT / math.sqrt(query.shape[-1])).float()
    if may_attend is not None:
        scores = scores.masked_fill(~may_attend, torch.finfo(scores.dtype).min)
    weights = torch.softmax(scores, -1).to(query.dtype)
    if may_attend is not None:
        weights = weights * may_attend
    return weights @ value, weights


def by_arrays(query: Any, key: Any, value: Any) -> Any:
    q, k, v = (one.astype(np.float32) for one in (query, key, value))
    rows = []
    for one in q:
        scores = [(one * other).sum() / len(one) ** 0.5 for other in k]
        powers = [np.exp(score - max(scores)) for score in scores]
        rows.append(sum(power / sum(powers) * row for power, row in zip(powers, v, strict=True)))
    return np.array(rows).astype(np.float64)


@pytest.mark.parametrize(
    ("answer", "exercise"),
    [
        (half_way, "softmax"),
        (weights_alone, "scaled_dot_product_attention"),
        (by_arrays, "attention_by_loops"),
    ],
)
def test_float32_inside_has_a_rule_and_a_sentence_of_its_own(answer: Answer, exercise: str) -> None:
    result = check(answer, exercise=exercise)
    assert result.rule == FULL_PRECISION
    assert result.misconception is None
    assert "some step computes in float32" in result.message
    assert result.record.example is not None
    mine, right = result.record.example.yours, result.record.example.expected
    error = max(abs(a - b) / abs(b) for a, b in zip(mine, right, strict=True) if b)
    assert 1e-10 < error < 1e-5


def short_constant(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
    powers = 2.71828 ** (x - x.amax(axis, keepdim=True))
    return powers / powers.sum(axis, keepdim=True)


def small_number(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
    powers = torch.exp(x - x.amax(axis, keepdim=True))
    return powers / (powers.sum(axis, keepdim=True) + torch.tensor(1e-6))  # float32, and no fault


def wrong_in_float32(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
    return softmax_of(2 * x.float(), axis).to(x.dtype)


@pytest.mark.parametrize(
    ("answer", "code"),
    [(short_constant, None), (small_number, "SM-EPSILON"), (wrong_in_float32, None)],
)
def test_other_small_errors_are_not_said_to_be_float32(answer: Answer, code: str | None) -> None:
    result = check(answer, exercise="softmax")
    assert not result.passed
    assert result.rule != FULL_PRECISION
    assert "float32" not in result.message
    assert result.misconception == code


def detached(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
    return softmax_of(x, axis).detach()


def through_numpy(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
    held = x.detach().numpy()
    powers = np.exp(held - held.max(axis, keepdims=True))
    return torch.from_numpy(powers / powers.sum(axis, keepdims=True))


@pytest.mark.parametrize("answer", [detached, through_numpy])
def test_a_result_that_is_detached_is_refused(answer: Answer) -> None:
    result = check(answer, exercise="softmax")
    assert result.rule == "gradients flow back to the inputs"
    assert "detached from its inputs" in result.message


@pytest.mark.parametrize("folder", ["solutions", "exercises"])
@pytest.mark.parametrize("slug", slugs())
def test_the_notebook_says_so_before_its_first_task(slug: str, folder: str) -> None:
    notebook = ROOT / folder / slug / f"{slug}.ipynb"
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    shared = " ".join(texts[0][texts[0].index("**What all tasks share.**") :].split())
    for words in ("gradient flows back to the inputs", "`.detach()`", "round trip through NumPy",
                  "keeps the precision of the inputs", "more digits than float32 has"):  # fmt: skip
        assert words in shared, words
