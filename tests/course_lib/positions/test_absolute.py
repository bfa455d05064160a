"""Positions as vectors: equal to their loops, turned alike by each step, refused beyond a table."""

import math
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import C, S, T, normal, seeds
from torch.testing import assert_close

from course_lib.naive.positions import absolute as naive
from course_lib.positions import absolute as lib


@pytest.fixture
def float64() -> Iterator[None]:
    """What the library makes takes PyTorch's default dtype."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


# Sinusoids


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("base", [10000.0, 100.0, 2])
@pytest.mark.parametrize(("length", "size"), [(7, 12), (5, 11), (1, 4), (3, 1), (0, 4), (4, 0)])
def test_sinusoidal_equals_its_loops(length: int, size: int, base: float) -> None:
    table = lib.sinusoidal(length, size, base)
    assert table.dtype == torch.float64
    assert_close(table, torch.from_numpy(naive.sinusoidal(length, size, base)))


def test_sinusoidal_by_hand() -> None:
    table = lib.sinusoidal(3, 4)
    assert table.dtype == torch.float32
    rows = [[math.sin(t), math.cos(t), math.sin(t / 100), math.cos(t / 100)] for t in range(3)]
    assert_close(table, torch.tensor(rows))
    assert table[0].tolist() == [0.0, 1.0, 0.0, 1.0]


@pytest.mark.usefixtures("float64")
@given(step=st.integers(min_value=0, max_value=20))
def test_a_step_turns_each_pair_by_the_same_angle(step: int) -> None:
    table = lib.sinusoidal(40, 12)
    sine, cosine = table[:, 0::2], table[:, 1::2]
    assert_close(sine.square() + cosine.square(), torch.ones(40, 6))
    turn_sine, turn_cosine = sine[step], cosine[step]
    later = torch.stack(
        [sine * turn_cosine + cosine * turn_sine, cosine * turn_cosine - sine * turn_sine], dim=-1
    ).flatten(-2)
    assert_close(later[: 40 - step], table[step:])
    products = table @ table.T  # depend on the distance alone
    assert_close(products.diagonal(step), products[0, step].expand(40 - step))


def test_the_dtype_is_the_one_asked_for_and_exact() -> None:
    table = lib.sinusoidal(50, 12, dtype=torch.float64)
    expected = torch.from_numpy(naive.sinusoidal(50, 12))
    assert_close(table, expected, rtol=0.0, atol=1e-12)  # float32 would be off by 3e-8
    assert torch.equal(lib.sinusoidal(50, 12, dtype=torch.bfloat16), table.bfloat16())


def test_far_positions_keep_their_digits() -> None:
    """In float32 an angle of 131,071 may be wrong by 0.004; half precision cannot count so far."""
    row = lib.sinusoidal(131_072, 6)[-1].double()
    angles = [131_071 / 10000.0 ** (2 * i / 6) for i in range(3)]
    exact = [wave(angle) for angle in angles for wave in (math.sin, math.cos)]
    # Rounded once, to float32: 6e-8 at most below 1.
    assert (row - torch.tensor(exact, dtype=torch.float64)).abs().max() < 6e-8


def test_sizes_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match=r"num_positions is -1, d_model is 4, base is 10000\.0"):
        lib.sinusoidal(-1, 4)
    with pytest.raises(ValueError, match=r"num_positions is 3, d_model is -2, base is 10000\.0"):
        lib.sinusoidal(3, -2)
    with pytest.raises(ValueError, match=r"num_positions is 3, d_model is 4, base is 0"):
        lib.sinusoidal(3, 4, 0)


# Learnt


@given(seed=seeds)
def test_learned_equals_its_loops(seed: int) -> None:
    table = normal(seed, S, C)
    generator = torch.Generator().manual_seed(seed)
    positions = torch.randint(S, (T,), generator=generator)
    expected = naive.learned(table.numpy(), positions.numpy())
    assert_close(lib.learned(table, positions), torch.from_numpy(expected), rtol=0, atol=0)


def test_only_the_rows_that_are_read_learn() -> None:
    table = normal(0, S, C).requires_grad_()
    positions = torch.tensor([3, 0, 3])
    lib.learned(table, positions).sum().backward()
    assert table.grad is not None
    assert table.grad[:, 0].tolist() == [1.0, 0.0, 0.0, 2.0, 0.0]
    assert torch.autograd.gradcheck(lambda rows: lib.learned(rows, positions), (table,))
    assert lib.learned(table, torch.tensor([], dtype=torch.int64)).shape == (0, C)


def test_positions_beyond_the_table_are_refused() -> None:
    table = torch.zeros(S, C)
    shapes = r"came; shapes \(5, 11\) and \(3,\)"
    with pytest.raises(ValueError, match=rf"positions 0 to 4; position 5 {shapes}"):
        lib.learned(table, torch.tensor([0, 5, 7]))
    with pytest.raises(ValueError, match=rf"positions 0 to 4; position -1 {shapes}"):
        lib.learned(table, torch.tensor([0, -1, 2]))
