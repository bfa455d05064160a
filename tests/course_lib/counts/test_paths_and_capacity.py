"""Ways between positions, steps that wait, and what a state can hold: twins, laws, refusals."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.counts.capacity import copy_capacity
from course_lib.counts.paths import KINDS, path_length, sequential_ops
from course_lib.naive.counts import capacity as naive_capacity
from course_lib.naive.counts import paths as naive

positions = st.integers(min_value=0, max_value=40)


@given(st.sampled_from(KINDS), positions, positions, st.integers(min_value=2, max_value=9))
def test_a_path_is_the_walk_of_the_twin_in_both_directions(
    kind: str, i: int, j: int, kernel: int
) -> None:
    if i == j:
        return
    steps = path_length(kind, i, j, kernel)
    assert steps == naive.path_length(kind, i, j, kernel) == path_length(kind, j, i, kernel)
    assert 1 <= steps <= abs(i - j)


@given(st.sampled_from(KINDS), st.integers(min_value=1, max_value=60))
def test_what_waits_is_what_the_twin_schedules(kind: str, T: int) -> None:
    assert sequential_ops(kind, T) == naive.sequential_ops(kind, T)


@pytest.mark.parametrize("kind", KINDS)
def test_a_path_is_as_long_anywhere(kind: str) -> None:
    assert path_length(kind, 3, 11, 4) == path_length(kind, 103, 111, 4)


def test_a_kernel_of_two_walks_like_a_recurrent_network() -> None:
    assert path_length("conv", 0, 17, 2) == path_length("rnn", 0, 17)
    assert path_length("conv", 0, 17, 18) == 1
    assert path_length("conv", 0, 18, 18) == 2


def test_a_kernel_is_not_looked_at_elsewhere() -> None:
    assert path_length("rnn", 2, 9, kernel=1) == 7
    assert path_length("attention", 2, 9, kernel=1) == 1


@given(
    st.sampled_from([0.5, 1, 1.5, 2, 8, 32]),
    st.integers(min_value=1, max_value=40),
    st.integers(min_value=2, max_value=300),
)
def test_a_state_holds_what_the_twin_counts(bits: float, N: int, vocab: int) -> None:
    length = copy_capacity(bits, N, vocab)
    assert length == naive_capacity.copy_capacity(bits, N, vocab)
    assert copy_capacity(bits, 2 * N, vocab) >= 2 * length


@pytest.mark.parametrize(("N", "vocab"), [(3, 2), (5, 3), (7, 5)])
def test_one_token_more_and_two_sequences_share_a_state(N: int, vocab: int) -> None:
    states = list(itertools.product((0, 1), repeat=N))
    T = copy_capacity(1, N, vocab)
    assert len(list(itertools.product(range(vocab), repeat=T))) <= len(states)
    assert len(list(itertools.product(range(vocab), repeat=T + 1))) > len(states)


@pytest.mark.parametrize(
    ("kind", "i", "j", "kernel", "message"),
    [
        ("lstm", 1, 2, None, "rnn, conv, attention; kind is 'lstm'"),
        ("rnn", -1, 2, None, "i >= 0; i is -1; i = -1, j = 2"),
        ("rnn", 5, 5, None, "i and j differ; i is 5 and j is 5"),
        ("conv", 1, 2, None, "kernel is None"),
        ("conv", 1, 2, 1, "at least 2 entries; kernel is 1"),
        ("conv", 1, 2, 0, "kernel >= 1; kernel is 0"),
    ],
)
def test_a_path_that_cannot_be_is_refused(
    kind: str, i: int, j: int, kernel: int | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        path_length(kind, i, j, kernel)


def test_steps_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="T >= 1; T is 0"):
        sequential_ops("rnn", 0)
    with pytest.raises(ValueError, match="kind is 'gru'"):
        sequential_ops("gru", 3)


@pytest.mark.parametrize(
    ("bits", "N", "vocab", "message"),
    [
        (0.0, 3, 4, "bits_per_unit is 0.0"),
        (1, 0, 4, "N >= 1; N is 0"),
        (1, 3, 1, "vocab >= 2; vocab is 1, N = 3"),
    ],
)
def test_a_state_that_cannot_be_is_refused(bits: float, N: int, vocab: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        copy_capacity(bits, N, vocab)
