"""Tables of cosines and sines: equal to their loops, and what ``rotate`` does in one step."""

import pytest
import torch
from hypothesis import given
from strategies import B, H, T, normal, seeds
from torch import Tensor
from torch.testing import assert_close

from course_lib.naive.positions import rotation_table as naive
from course_lib.positions import rotation_table as lib
from course_lib.positions.rope import rope_inv_freq, rotate

D = 8
POSITIONS = torch.tensor([40, 3, -7])


def table(rotary_dim: int = D, concentration: float = 1.0) -> tuple[Tensor, Tensor]:
    return lib.rotation_table(POSITIONS, rope_inv_freq(rotary_dim, 100.0), concentration)


@pytest.mark.parametrize("concentration", [1.0, 1.3466])
@pytest.mark.parametrize("rotary_dim", [2, 4, 8])
def test_a_table_and_its_use_equal_their_loops(rotary_dim: int, concentration: float) -> None:
    inv_freq = rope_inv_freq(rotary_dim, 100.0)
    twin = naive.rotation_table(POSITIONS.numpy(), inv_freq.numpy(), concentration)
    ours = table(rotary_dim, concentration)
    for part, expected in zip(ours, twin, strict=True):
        assert_close(part, torch.from_numpy(expected), rtol=1e-13, atol=1e-14)
    x = normal(0, B, H, T, D)
    heads = [naive.rotate_by_table(head, twin) for head in x.numpy().reshape(-1, T, D)]
    expected = torch.stack([torch.from_numpy(head) for head in heads]).reshape(x.shape)
    assert_close(lib.rotate_by_table(x, ours), expected, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@given(seed=seeds)
def test_two_steps_are_rotate(dtype: torch.dtype, seed: int) -> None:
    x, inv_freq = normal(seed, B, H, T, D, dtype=dtype), rope_inv_freq(4, 100.0)
    before = x.clone()
    turned = lib.rotate_by_table(x, lib.rotation_table(POSITIONS, inv_freq, 1.2))
    assert turned.dtype == dtype
    assert torch.equal(turned, rotate(x, POSITIONS, inv_freq, 1.2))
    assert torch.equal(x, before)


def test_gradient() -> None:
    x = normal(0, T, D).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: lib.rotate_by_table(v, table(6)), (x,))


@pytest.mark.usefixtures("without_annotations")
def test_refusals_name_both_sizes() -> None:
    message = r"inv_freq is torch.bfloat16; shapes \(4,\) and \(3,\)"
    with pytest.raises(ValueError, match=message):
        lib.rotation_table(POSITIONS, torch.ones(4, dtype=torch.bfloat16))
    for shape, pattern in (
        ((2, T + 1, D), r"x has T=4, D=8 and the table 3 rows, 4 columns; .*\(2, 4, 8\) and"),
        ((2, T, D - 1), r"x has T=3, D=7 and the table 3 rows, 4 columns"),
    ):
        with pytest.raises(ValueError, match=pattern):
            lib.rotate_by_table(torch.zeros(shape), table())
    with pytest.raises(ValueError, match=r"x has the axes \*batch T D, at least 2 in number"):
        lib.rotate_by_table(torch.zeros(D), table())
