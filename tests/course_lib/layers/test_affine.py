"""A matrix and its bias: equal to loops, refused by the names that its caller gives."""

import pytest
import torch
from strategies import B, C, T, normal
from torch.testing import assert_close

from course_lib.layers import affine as lib
from course_lib.naive.layers import affine as naive

X, WEIGHT, BIAS = normal(0, B, T, C), normal(1, C, 3), normal(2, 3)


@pytest.mark.parametrize("bias", [None, BIAS])
def test_it_equals_its_loops(bias: torch.Tensor | None) -> None:
    added = None if bias is None else bias.numpy()
    expected = [naive.affine(example.numpy(), WEIGHT.numpy(), added) for example in X]
    assert_close(lib.affine(X, WEIGHT, bias), torch.stack(list(map(torch.from_numpy, expected))))


def test_it_is_torchs() -> None:
    assert_close(lib.affine(X, WEIGHT, BIAS), torch.nn.functional.linear(X, WEIGHT.T, BIAS))
    assert_close(lib.affine(X, WEIGHT), torch.nn.functional.linear(X, WEIGHT.T))


@pytest.mark.usefixtures("without_annotations")
def test_refusals_name_both_sizes() -> None:
    message = r"x has 11 and the weight 12; shapes \(2, 3, 11\) and \(12, 3\)"
    with pytest.raises(ValueError, match=message):
        lib.affine(X, torch.zeros(12, 3))
    with pytest.raises(ValueError, match=r"row of the hidden layer .* 11 and w_out 12; shapes"):
        lib.affine(X, torch.zeros(12, 3), names=("the hidden layer", "w_out"))
    with pytest.raises(ValueError, match="the weight has 3 columns and its bias 1 numbers"):
        lib.affine(X, WEIGHT, torch.zeros(1).double())
