"""Rotary positions: equal to their loops; distances, not positions, reach the scores."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import B, C, H, T, normal, permutation, seeds
from torch import Tensor
from torch.testing import assert_close

from course_lib.naive.positions import rope as naive
from course_lib.positions import rope as lib
from course_lib.scaling import softmax_scale

D = 8
#: Neither in order nor from zero: an arange in their place shows.
POSITIONS = torch.tensor([40, 3, -7])
DTYPES = (torch.float32, torch.float64)
offsets = st.integers(min_value=-1000, max_value=1000)


def queries(seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return normal(seed, B, H, T, D, dtype=dtype)


def loops(x: Tensor, positions: Tensor, inv_freq: Tensor, concentration: float = 1.0) -> Tensor:
    parts = positions.numpy(), inv_freq.double().numpy(), concentration
    heads = [naive.rotate(head, *parts) for head in x.double().numpy().reshape(-1, *x.shape[-2:])]
    return torch.stack([torch.from_numpy(head) for head in heads]).reshape(x.shape)


# Equal to the twin


@pytest.mark.parametrize("base", [10000.0, 500000.0, 2])
@pytest.mark.parametrize("rotary_dim", [2, 6, 128])
def test_rope_inv_freq_equals_its_loops(rotary_dim: int, base: float) -> None:
    expected = torch.from_numpy(naive.rope_inv_freq(rotary_dim, base))
    assert_close(lib.rope_inv_freq(rotary_dim, base), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("concentration", [1.0, 1.3466])
@pytest.mark.parametrize("rotary_dim", [2, 4, 8])
def test_rotate_equals_its_loops(rotary_dim: int, concentration: float, dtype: torch.dtype) -> None:
    x, inv_freq = queries(dtype=dtype), lib.rope_inv_freq(rotary_dim, 100.0)
    expected = loops(x, POSITIONS, inv_freq, concentration).to(dtype)
    assert_close(lib.rotate(x, POSITIONS, inv_freq, concentration), expected)
    assert_close(lib.rotate(x[0, 0], POSITIONS, inv_freq, concentration), expected[0, 0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_rope_equals_its_loops(dtype: torch.dtype) -> None:
    x = queries(dtype=dtype)
    heads = [[naive.rope(h, POSITIONS.numpy(), 1e4) for h in b] for b in x.double().numpy()]
    expected = torch.stack([torch.stack([torch.from_numpy(h) for h in b]) for b in heads])
    assert_close(lib.rope(x, POSITIONS, 1e4), expected.to(dtype))


@pytest.mark.parametrize("rotary_dim", [None, 8, 6, 2, 0])
@pytest.mark.parametrize("name", ["interleaved_to_halves", "halves_to_interleaved"])
def test_conversions_equal_their_loops(name: str, rotary_dim: int | None) -> None:
    w = normal(0, C, 3 * D)
    expected = torch.from_numpy(getattr(naive, name)(w.numpy(), D, rotary_dim))
    assert torch.equal(getattr(lib, name)(w, D, rotary_dim), expected)


def test_by_hand() -> None:
    """A quarter turn, then half a turn: (2, 0) becomes (0, 2), then (0, -2)."""
    x = torch.tensor([[2.0, 5.0, 0.0, 7.0]] * 2, dtype=torch.float64)
    turned = lib.rotate(x, torch.tensor([1, 3]), torch.tensor([math.pi / 2, 0.0]).double())
    assert_close(turned[0].tolist(), [0.0, 5.0, 2.0, 7.0], atol=1e-6, rtol=0)
    assert_close(turned[1].tolist(), [0.0, 5.0, -2.0, 7.0], atol=1e-6, rtol=0)


# Laws


@given(seed=seeds, offset=offsets)
def test_a_score_depends_on_the_distance_alone(seed: int, offset: int) -> None:
    query, key = queries(seed), queries(seed + 1)
    inv_freq = lib.rope_inv_freq(6, 100.0)
    scores = [
        lib.rotate(query, POSITIONS + shift, inv_freq)
        @ lib.rotate(key, POSITIONS + shift, inv_freq).mT
        for shift in (0, offset)
    ]
    assert_close(scores[1], scores[0])
    moved = lib.rotate(query, POSITIONS + 1, inv_freq) @ lib.rotate(key, POSITIONS, inv_freq).mT
    assert not torch.allclose(moved, scores[0])


@given(seed=seeds, first=offsets, second=offsets)
def test_turns_add_up(seed: int, first: int, second: int) -> None:
    x, inv_freq = queries(seed), lib.rope_inv_freq(D, 100.0)
    twice = lib.rotate(lib.rotate(x, POSITIONS * 0 + first, inv_freq), POSITIONS + second, inv_freq)
    assert_close(twice, lib.rotate(x, POSITIONS + first + second, inv_freq))
    assert_close(lib.rotate(lib.rotate(x, POSITIONS, inv_freq), -POSITIONS, inv_freq), x)
    assert torch.equal(lib.rotate(x, POSITIONS * 0, inv_freq), x)


@given(seed=seeds)
def test_lengths_of_pairs_stay(seed: int) -> None:
    x, inv_freq = queries(seed), lib.rope_inv_freq(D, 100.0)

    def lengths(y: Tensor) -> Tensor:
        return y.unflatten(-1, (2, -1)).square().sum(-2)

    assert_close(lengths(lib.rotate(x, POSITIONS, inv_freq)), lengths(x))
    assert_close(lengths(lib.rotate(x, POSITIONS, inv_freq, 3.0)), 9 * lengths(x))


@given(seed=seeds)
def test_a_row_is_turned_by_its_own_position(seed: int) -> None:
    x, inv_freq, order = queries(seed), lib.rope_inv_freq(D, 100.0), permutation(seed, T)
    whole = lib.rotate(x, POSITIONS, inv_freq)
    assert_close(lib.rotate(x[:, :, order], POSITIONS[order], inv_freq), whole[:, :, order])
    assert_close(lib.rotate(x[:, :, 1:2], POSITIONS[1:2], inv_freq), whole[:, :, 1:2])
    for dtype in (torch.int32, torch.int16):
        assert torch.equal(lib.rotate(x, POSITIONS.to(dtype), inv_freq), whole)


@given(seed=seeds)
def test_what_is_not_turned_stays_as_it_is(seed: int) -> None:
    x = queries(seed)
    turned = lib.rotate(x, POSITIONS, lib.rope_inv_freq(4, 100.0), concentration=1.5)
    assert torch.equal(turned[..., 4:], x[..., 4:])
    assert_close(turned[..., :4], 1.5 * lib.rope(x[..., :4], POSITIONS, 100.0))
    nothing = lib.rotate(x, POSITIONS, torch.zeros(0, dtype=torch.float64))
    assert torch.equal(nothing, x)


@given(seed=seeds)
def test_the_concentration_enters_the_scores_squared(seed: int) -> None:
    """As a factor of the softmax's scale, in DeepSeek; as one of queries and keys, in YaRN."""
    query, key, inv_freq = queries(seed), queries(seed + 1), lib.rope_inv_freq(D, 100.0)
    concentration = 0.1 * math.log(32.0) + 1.0
    plain, yarn = (
        lib.rotate(query, POSITIONS, inv_freq, c) @ lib.rotate(key, POSITIONS, inv_freq, c).mT
        for c in (1.0, concentration)
    )
    assert_close(yarn * softmax_scale(D), plain * softmax_scale(D, yarn_factor=32.0))


@given(seed=seeds)
@pytest.mark.parametrize("rotary_dim", [None, 6])
def test_conversions_undo_each_other(rotary_dim: int | None, seed: int) -> None:
    w = normal(seed, C, 3 * D)
    halves = lib.interleaved_to_halves(w, D, rotary_dim)
    assert not torch.equal(halves, w)
    assert torch.equal(lib.halves_to_interleaved(halves, D, rotary_dim), w)
    # Columns of a bias, and of the products, are those of the matrix.
    bias, x = normal(seed + 1, 3 * D), normal(seed + 2, B, T, C)
    both = lib.interleaved_to_halves(x @ w + bias, D, rotary_dim)
    assert_close(both, x @ halves + lib.interleaved_to_halves(bias, D, rotary_dim))


def test_arguments_are_not_modified() -> None:
    x, positions, inv_freq = queries(), POSITIONS.clone(), lib.rope_inv_freq(4, 100.0)
    before = [tensor.clone() for tensor in (x, positions, inv_freq)]
    lib.rotate(x, positions, inv_freq, 2.0)
    assert all(map(torch.equal, (x, positions, inv_freq), before))


# Gradients


def test_gradients() -> None:
    x = normal(0, 2, T, D).requires_grad_()
    inv_freq = lib.rope_inv_freq(6, 100.0)
    assert torch.autograd.gradcheck(lambda y: lib.rotate(y, POSITIONS, inv_freq, 1.3), (x,))
    assert torch.autograd.gradcheck(lambda y: lib.rope(y, POSITIONS, 100.0), (x,))
    w = normal(1, 2, 2 * D).requires_grad_()
    for convert in (lib.interleaved_to_halves, lib.halves_to_interleaved):
        assert torch.autograd.gradcheck(lambda y, convert=convert: convert(y, D, 6), (w,))


# Numerics


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("position", [0, 5000, 131_071])
def test_far_positions_keep_their_digits(position: int, dtype: torch.dtype) -> None:
    """The result is the rounded exact one. In bfloat16, 5000 and 4999 would be the same number."""
    x = queries(dtype=dtype)
    positions = position + torch.tensor([0, -1, -2])
    exact = loops(x, positions, lib.rope_inv_freq(D, 1e4))
    for result in (
        lib.rope(x, positions, 1e4),
        lib.rotate(x, positions, lib.rope_inv_freq(D, 1e4)),
    ):
        assert result.dtype == dtype
        error = (result.double() - exact).abs()
        # Half a unit of the last of 24, 8 or 11 digits; in float32 three roundings, of the sine or
        # cosine, the product and the sum, which may cancel. Measured: 2.6e-7 at |x| < 3.2.
        if dtype == torch.float32:
            assert error.max() < 4e-7
        else:
            half_a_digit = torch.finfo(dtype).eps / 2
            assert (error <= 1.001 * half_a_digit * exact.abs() + 1e-6).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_large_queries_and_one_row(dtype: torch.dtype) -> None:
    x = 1e4 * normal(0, 1, D, dtype=dtype)
    turned = lib.rope(x, torch.tensor([9]), 1e4)
    expected = loops(x, torch.tensor([9]), lib.rope_inv_freq(D, 1e4))
    assert_close(turned, expected.to(dtype))


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_frequencies_in_half_precision_are_refused(half: torch.dtype) -> None:
    x, inv_freq = queries(dtype=half), lib.rope_inv_freq(D, 1e4).to(half)
    pattern = rf"at least float32, .*; inv_freq is {half} and x is {half}; shapes \(4,\) and \(2,"
    with pytest.raises(ValueError, match=pattern):
        lib.rotate(x, POSITIONS, inv_freq)


# Errors


@pytest.mark.parametrize("wrong", [0, -2, 7, 1])
def test_an_odd_or_empty_rotation_is_refused(wrong: int) -> None:
    with pytest.raises(ValueError, match=rf"rotary_dim is {wrong} and base is 10\.0"):
        lib.rope_inv_freq(wrong, 10.0)
    with pytest.raises(ValueError, match=r"rotary_dim is 8 and base is -1"):
        lib.rope_inv_freq(8, -1.0)
    with pytest.raises(ValueError, match=r"rotary_dim is 7 and base is 10\.0"):
        lib.rope(torch.zeros(T, 7), POSITIONS, 10.0)


@pytest.mark.usefixtures("without_annotations")
def test_positions_and_rows_must_be_as_many() -> None:
    x, inv_freq = torch.zeros(B, H, T, D), torch.zeros(4)
    for count in (2, 4, 1):
        shapes = rf"shapes \(2, 4, 3, 8\) and \({count},\)"
        with pytest.raises(ValueError, match=rf"T=3 rows and positions {count} entries; {shapes}"):
            lib.rotate(x, torch.arange(count), inv_freq)
    with pytest.raises(ValueError, match=r"x has T=3 rows and positions 6 entries; .*\(2, 3\)"):
        lib.rotate(x, torch.zeros(2, 3, dtype=torch.int64), inv_freq)


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize("shape", [(8,), ()])
def test_one_row_alone_has_no_axis_of_rows(shape: tuple[int, ...]) -> None:
    pattern = rf"x has the axes \*batch T D, at least 2 in number; x has {len(shape)}; shape \("
    with pytest.raises(ValueError, match=pattern):
        lib.rope(torch.zeros(shape), torch.tensor([1]), 10.0)
    with pytest.raises(ValueError, match=pattern):
        lib.rotate(torch.zeros(shape), torch.tensor([1]), torch.zeros(4))


def test_more_pairs_than_the_head_has_are_refused() -> None:
    pattern = r"inv_freq has 5 frequencies and x has D=8 entries; shapes \(5,\) and \(3, 8\)"
    with pytest.raises(ValueError, match=pattern):
        lib.rotate(torch.zeros(T, D), POSITIONS, torch.zeros(5))


@pytest.mark.parametrize("convert", [lib.interleaved_to_halves, lib.halves_to_interleaved])
def test_columns_that_are_no_heads_are_refused(convert: object) -> None:
    assert callable(convert)
    with pytest.raises(ValueError, match=r"w has 11 columns and head_dim is 8; its shape is"):
        convert(torch.zeros(3, 11), D)
    with pytest.raises(ValueError, match=r"w has 8 columns and head_dim is 0"):
        convert(torch.zeros(3, 8), 0)
    with pytest.raises(ValueError, match=r"rotary_dim is 7 and head_dim is 7; .* w is \(3, 14\)"):
        convert(torch.zeros(3, 14), 7)
    for wrong in (10, 3, -2):
        with pytest.raises(ValueError, match=rf"rotary_dim is {wrong} and head_dim is 8"):
            convert(torch.zeros(3, 16), D, wrong)
