"""A gate of sigmoids: equal to its loops, never more than what came, shut and open at its ends."""

import pytest
import torch
from hypothesis import given
from strategies import B, C, T, arrays, assert_equals_twin, normal, seeds
from torch.testing import assert_close

from course_lib.layers.gates import sigmoid_gate
from course_lib.naive.layers import gates as naive

DTYPES = (torch.float32, torch.float64)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("gates", [C, 1])
def test_it_equals_its_loops(gates: int, dtype: torch.dtype) -> None:
    x, gate = normal(0, B, T, C, dtype=dtype), 3 * normal(1, B, T, gates, dtype=dtype)
    found = sigmoid_gate(x, gate)
    for b in range(B):
        expected = naive.sigmoid_gate(*arrays(x[b], gate[b]))
        assert_equals_twin(found[b], torch.from_numpy(expected), dtype)


@given(seed=seeds)
def test_what_one_gate_holds_back_the_opposite_one_lets_through(seed: int) -> None:
    x, gate = normal(seed, B, T, C), 3 * normal(seed + 1, B, T, C)
    assert_close(sigmoid_gate(x, gate) + sigmoid_gate(x, -gate), x)
    assert (sigmoid_gate(x, gate).abs() <= x.abs()).all()
    assert_close(sigmoid_gate(x, torch.zeros_like(gate)), x / 2)


@given(seed=seeds)
def test_one_gate_for_all_is_the_same_gate_for_each(seed: int) -> None:
    x, gate = normal(seed, B, T, C), normal(seed + 1, B, T, 1)
    assert_close(sigmoid_gate(x, gate), sigmoid_gate(x, gate.expand(B, T, C)))
    alone = x[..., :1]  # a vector of one entry: both at once
    assert_close(sigmoid_gate(alone, gate), torch.sigmoid(gate) * alone)


def test_ends_and_nan() -> None:
    x, gate = normal(0, T, C), normal(1, T, C)
    shut, opened = gate.clone(), gate.clone()
    shut[1], opened[1] = -torch.inf, torch.inf
    assert not sigmoid_gate(x, shut)[1].any()
    assert torch.equal(sigmoid_gate(x, opened)[1], x[1])
    gate[2, 3] = torch.nan
    is_nan = sigmoid_gate(x, gate).isnan()
    assert is_nan[2, 3]
    assert is_nan.sum() == 1


def test_half_precision_is_rounded_once() -> None:
    x, gate = normal(0, T, C).bfloat16(), 3 * normal(1, T, C).bfloat16()
    found, exact = sigmoid_gate(x, gate), sigmoid_gate(x.double(), gate.double())
    assert found.dtype == torch.bfloat16
    assert_close(found.double(), exact, rtol=2**-8, atol=0)


def test_gradients_and_purity() -> None:
    for gates in (C, 1):
        x, gate = normal(0, T, C), normal(1, T, gates)
        leaves = [x.clone().requires_grad_(), gate.clone().requires_grad_()]
        assert torch.autograd.gradcheck(sigmoid_gate, leaves)
        assert torch.equal(leaves[0], x)
        assert torch.equal(leaves[1], gate)


@pytest.mark.usefixtures("without_annotations")
def test_refusals_name_the_shapes() -> None:
    x = normal(0, B, T, C)
    message = r"x has 11 entries; shapes \(2, 3, 11\) and \(2, 3, 4\)"
    with pytest.raises(ValueError, match=message):
        sigmoid_gate(x, normal(1, B, T, 4))
    with pytest.raises(ValueError, match=r"shapes \(2, 3, 11\) and \(3, 11\)"):
        sigmoid_gate(x, x[0])
    with pytest.raises(ValueError, match=r"gate is torch.int64"):
        sigmoid_gate(x, x.long())
