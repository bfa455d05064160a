"""Additive scores: equal to their loops, bounded, differentiable, clear when refused."""

import pytest
import torch
from strategies import B, C, D, S, T, arrays, normal, stacked
from torch.testing import assert_close

from course_lib.attention import additive as lib
from course_lib.naive.attention import additive as naive

DTYPES = (torch.float32, torch.float64)


@pytest.mark.parametrize("dtype", DTYPES)
def test_additive_scores_equal_their_loops(dtype: torch.dtype) -> None:
    query, key = normal(0, B, T, C, dtype=dtype), normal(1, B, S, C + 1, dtype=dtype)
    rest = [normal(2, C, D), normal(3, C + 1, D), normal(4, D)]
    rest = [tensor.to(dtype) for tensor in rest]
    pairs = zip(query, key, strict=True)
    expected = stacked(naive.additive_scores(*arrays(*pair, *rest)) for pair in pairs)
    assert_close(lib.additive_scores(query, key, *rest), expected.to(dtype))


def test_float64_is_not_computed_in_float32() -> None:
    tensors = (normal(0, T, C), normal(1, S, C), normal(2, C, D), normal(3, C, D), normal(4, D))
    expected = torch.from_numpy(naive.additive_scores(*arrays(*tensors)))
    # assert_close's 1e-7 cannot tell the two apart
    assert_close(lib.additive_scores(*tensors), expected, rtol=1e-12, atol=1e-14)


def test_additive_scores_are_bounded_by_v() -> None:
    v = normal(4, D)
    scores = lib.additive_scores(
        1e4 * normal(0, T, C), normal(1, S, C), normal(2, C, D), normal(3, C, D), v
    )
    assert scores.abs().max() <= v.abs().sum() + 1e-12


INPUTS = (normal(0, 3, 2), normal(1, 4, 2), normal(4, 2, 3), normal(5, 2, 3), normal(6, 3))


def test_gradient() -> None:
    inputs = tuple(tensor.clone().requires_grad_() for tensor in INPUTS)
    with torch.autograd.set_detect_anomaly(True):
        assert torch.autograd.gradcheck(lib.additive_scores, inputs)


def test_no_input_is_modified() -> None:
    before = [tensor.clone() for tensor in INPUTS]
    lib.additive_scores(*INPUTS)
    for tensor, copy in zip(INPUTS, before, strict=True):
        assert torch.equal(tensor, copy)


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (
            [(3, 11), (5, 12), (10, 7), (12, 7), (7,)],
            r"query has 11 and w_q 10; shapes \(3, 11\) and \(10, 7\)",
        ),
        (
            [(3, 11), (5, 12), (11, 7), (11, 7), (7,)],
            r"key has 12 and w_k 11; shapes \(5, 12\) and \(11, 7\)",
        ),
        (
            [(3, 11), (5, 12), (11, 7), (12, 7), (6,)],
            r"w_q has D=7, w_k D=7 and v D=6; shapes \(11, 7\), \(12, 7\) and \(6,\)",
        ),
        (
            [(2, 3, 11), (5, 12), (11, 7), (12, 7), (7,)],
            r"query has \(2,\) and key \(\); shapes \(2, 3, 11\) and \(5, 12\)",
        ),
    ],
)
def test_refusals_name_both_sizes(shapes: list[tuple[int, ...]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lib.additive_scores(*(torch.zeros(shape) for shape in shapes))
