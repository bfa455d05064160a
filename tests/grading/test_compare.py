"""Comparison never broadcasts, NaN agrees with nothing, and the first wrong row is found."""

import numpy as np
import pytest

from grading.exercise import Tolerance
from grading.verdict.compare import close, distance, first_difference, same

EXACT = Tolerance(rtol=0, atol=1e-9)


def test_shapes_that_would_broadcast_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one shape.*\(3, 1\) and \(3, 4\)"):
        close(np.ones((3, 1)), np.ones((3, 4)), EXACT)
    assert not same([np.ones((3, 1))], [np.ones((3, 4))], EXACT)
    assert not same([np.ones(1)], [np.ones(())], EXACT)
    assert not same([np.ones(1)], [], EXACT)


def test_nan_is_never_right_but_it_is_a_behaviour() -> None:
    nan = np.array([np.nan, 1.0])
    assert close(nan, nan, EXACT).tolist() == [False, True]
    assert same([nan], [nan.copy()], EXACT)
    assert not same([nan], [np.array([0.0, 1.0])], EXACT)


def test_the_first_row_that_differs_is_found() -> None:
    truth = np.zeros((2, 3, 4))
    mine = truth.copy()
    mine[1, 2, 3] = 1
    found = first_difference([truth, mine], [truth, truth], EXACT)
    assert found is not None
    assert (found.output, found.index) == (1, (1, 2))
    assert found.learner.tolist() == [0, 0, 0, 1]
    assert first_difference([truth], [truth], EXACT) is None


def test_one_number_is_a_row_of_one() -> None:
    found = first_difference([np.asarray(2.0)], [np.asarray(3.0)], EXACT)
    assert found is not None
    assert (found.index, found.learner.tolist(), found.expected.tolist()) == ((), [2.0], [3.0])


def test_the_tolerance_counts_relative_to_what_is_expected() -> None:
    expected = np.array([1000.0, 1.0])
    assert close(expected + 0.5, expected, Tolerance(rtol=1e-3, atol=0)).tolist() == [True, False]


def test_a_distance_is_infinite_where_only_one_is_a_number() -> None:
    one = np.array([1.0, np.nan, np.inf])
    assert distance([one], [one + np.array([0.25, 0, 0])]) == 0.25
    assert distance([one], [np.array([1.0, 0.0, np.inf])]) == np.inf
    assert distance([one], [one[:2]]) == np.inf
    assert distance([one], None) == np.inf
