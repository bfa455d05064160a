"""Comparison never broadcasts, NaN agrees with nothing, and the first wrong row is found."""

import numpy as np
import pytest
import torch

from grading.compare import as_tensors, close, first_difference, plain, same
from grading.exercise import Tolerance

EXACT = Tolerance(rtol=0, atol=1e-9)


def test_shapes_that_would_broadcast_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one shape.*\(3, 1\) and \(3, 4\)"):
        close(torch.ones(3, 1), torch.ones(3, 4), EXACT)
    assert not same([torch.ones(3, 1)], [torch.ones(3, 4)], EXACT)
    assert not same([torch.ones(1)], [torch.ones(())], EXACT)


def test_nan_is_never_right_but_it_is_a_behaviour() -> None:
    nan = torch.tensor([torch.nan, 1.0])
    assert close(nan, nan, EXACT).tolist() == [False, True]
    assert same([nan], [nan.clone()], EXACT)
    assert not same([nan], [torch.tensor([0.0, 1.0])], EXACT)


def test_the_first_row_that_differs_is_found() -> None:
    truth = torch.zeros(2, 3, 4)
    mine = truth.clone()
    mine[1, 2, 3] = 1
    found = first_difference([truth, mine], [truth, truth], EXACT)
    assert found is not None
    assert (found.output, found.index) == (1, (1, 2))
    assert found.learner.tolist() == [0, 0, 0, 1]
    assert first_difference([truth], [truth], EXACT) is None


def test_the_tolerance_counts_relative_to_what_is_expected() -> None:
    expected = torch.tensor([1000.0, 1.0], dtype=torch.float64)
    assert close(expected + 0.5, expected, Tolerance(rtol=1e-3, atol=0)).tolist() == [True, False]


def test_what_can_be_compared_is_made_a_plain_tensor() -> None:
    class Mine(torch.Tensor):
        pass

    assert type(plain(torch.ones(2).as_subclass(Mine))) is torch.Tensor
    assert not plain(torch.ones(2, requires_grad=True)).requires_grad
    assert plain(np.float32(2.5)).item() == 2.5
    assert [v.shape for v in as_tensors((1.0, np.ones((2, 3)), "name"))] == [(), (2, 3)]
