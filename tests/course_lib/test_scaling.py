"""The factor on the scores: equal to its loops, and measured where it is about randomness."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib import scaling as lib
from course_lib.naive import scaling as naive


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Replay(np.random.Generator):
    """A NumPy generator that hands out given vectors: the draws of the twin's twin."""

    def __init__(self, vectors: torch.Tensor) -> None:
        super().__init__(np.random.PCG64(0))
        self.vectors = itertools.chain(vectors.numpy())

    def standard_normal(self, size: int) -> np.ndarray:  # type: ignore[override]
        vector = next(self.vectors)
        assert vector.shape == (size,)
        return np.asarray(vector)


@pytest.mark.parametrize("head_dim", [1, 7, 64, 128])
@pytest.mark.parametrize("scalar", [None, 1, 144, 168.0, 0.25])
@pytest.mark.parametrize("yarn_factor", [None, 1, 4.0, 32])
def test_softmax_scale_equals_its_twin(
    head_dim: int, scalar: float | None, yarn_factor: float | None
) -> None:
    expected = naive.softmax_scale(head_dim, scalar, yarn_factor)
    assert math.isclose(lib.softmax_scale(head_dim, scalar, yarn_factor), expected, rel_tol=1e-14)


def test_softmax_scale_of_known_models() -> None:
    assert lib.softmax_scale(64) == 0.125
    assert lib.softmax_scale(128, query_pre_attn_scalar=144) == 1 / 12  # Gemma 2 27B
    assert lib.softmax_scale(128, query_pre_attn_scalar=168) == 1 / math.sqrt(168)  # Gemma 3 27B
    assert math.isclose(lib.softmax_scale(64, yarn_factor=32), 0.125 * 1.3465735902799727**2)


@given(head_dim=st.integers(1, 512), yarn_factor=st.floats(1, 64))
def test_laws_of_the_scale(head_dim: int, yarn_factor: float) -> None:
    plain = lib.softmax_scale(head_dim)
    assert math.isclose(lib.softmax_scale(4 * head_dim), plain / 2)
    assert lib.softmax_scale(1, query_pre_attn_scalar=head_dim) == plain
    assert lib.softmax_scale(head_dim, yarn_factor=1) == plain
    assert lib.softmax_scale(head_dim, yarn_factor=yarn_factor) >= plain


@pytest.mark.parametrize("scale", [1.0, 0.25, -2.0])
def test_score_variance_equals_its_loops(scale: float) -> None:
    D, n = 7, 50
    source = generator()
    drawn = [torch.randn(n, D, generator=source, dtype=torch.float64) for _ in range(2)]
    pairs = torch.stack(drawn, dim=1).reshape(2 * n, D)
    expected = naive.score_variance(D, n, Replay(pairs), scale)
    measured = lib.score_variance(D, n, generator(), scale)
    assert math.isclose(measured, expected, rel_tol=1e-12)


@pytest.mark.parametrize("D", [4, 64])
def test_score_variance_is_scale_squared_times_D(D: int) -> None:
    n = 20_000
    for scale in (1.0, lib.softmax_scale(D), 3.0):
        standard_error = scale**2 * math.sqrt(2 * D * (D + 3) / n)
        measured = lib.score_variance(D, n, generator(), scale)
        assert abs(measured - scale**2 * D) < 5 * standard_error
    # A variance is unbiased over n - 1: with two pairs it is half the squared difference.
    few = [lib.score_variance(D, 2, generator(seed), 1.0) for seed in range(2000)]
    assert abs(np.mean(few) - D) < 5 * np.std(few) / math.sqrt(2000)


def test_the_stated_standard_error_is_the_measured_one() -> None:
    D, n, repeats = 5, 200, 2000
    measured = [lib.score_variance(D, n, generator(seed), 1.0) for seed in range(repeats)]
    # The relative standard error of a standard deviation from 2,000 values is about 1.6 %; the
    # formula is exact only for large n. Measured ratio: 0.99.
    assert abs(np.std(measured) / math.sqrt(2 * D * (D + 3) / n) - 1) < 0.08


@pytest.mark.parametrize(("trials", "chunk"), [(6, 2**22), (6, 1), (6, 3 * 4 * 5)])
def test_saturation_equals_its_loops(
    trials: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    D, S, scale = 4, 5, 0.7
    monkeypatch.setattr(lib, "_CHUNK", chunk)
    per_chunk = max(1, chunk // (S * D))
    source, drawn = generator(), []
    for count in [per_chunk] * (trials // per_chunk) or [trials]:
        shape = (count, S + 1, D)
        drawn.append(torch.randn(shape, generator=source, dtype=torch.float64).reshape(-1, D))
    expected = naive.saturation(D, S, scale, trials, Replay(torch.cat(drawn)))
    measured = lib.saturation(D, S, scale, trials, generator())
    assert math.isclose(measured, expected, rel_tol=1e-12)


@pytest.mark.parametrize(("D", "expected"), [(4, 0.275), (16, 0.577), (64, 0.792)])
def test_saturation_grows_with_D_unless_the_scores_are_scaled(D: int, expected: float) -> None:
    # 2,000 trials of a number between 0 and 1: standard error below 0.0065, five of them 0.033.
    # The expected values are means over 100,000 trials.
    unscaled = lib.saturation(D, 64, 1.0, 2000, generator())
    assert abs(unscaled - expected) < 0.033
    scaled = lib.saturation(D, 64, lib.softmax_scale(D), 2000, generator())
    assert 0.095 < scaled < 0.12


def test_saturation_has_its_limits() -> None:
    assert lib.saturation(7, 5, 0.0, 3, generator()) == pytest.approx(1 / 5, rel=1e-12)
    assert lib.saturation(7, 1, 1.0, 3, generator()) == pytest.approx(1.0, rel=1e-12)
    assert lib.saturation(7, 5, 1e6, 3, generator()) == pytest.approx(1.0, rel=1e-12)


def test_measurements_follow_the_generator_alone() -> None:
    torch.manual_seed(1)
    first = lib.score_variance(5, 9, generator(3), 1.0), lib.saturation(3, 4, 1, 5, generator(3))
    torch.manual_seed(2)
    again = lib.score_variance(5, 9, generator(3), 1.0), lib.saturation(3, 4, 1, 5, generator(3))
    assert first == again
    assert lib.score_variance(5, 9, generator(4), 1.0) != first[0]
    assert lib.saturation(3, 4, 1, 5, generator(4)) != first[1]


def test_growing_scale_equals_its_loops_and_stands_still_within_a_floor() -> None:
    for floor, factor in ((1, 0.1), (3, 0.3), (50, 2.0)):
        positions = torch.arange(7, 60)
        grown = lib.growing_scale(positions, floor, factor)
        expected = torch.from_numpy(naive.growing_scale(positions.numpy(), floor, factor))
        torch.testing.assert_close(grown.double(), expected, rtol=1e-6, atol=0)
        assert (grown.diff() >= 0).all()
    still = lib.growing_scale(torch.arange(8191), 8192, 0.1)
    assert torch.equal(still, torch.ones(8191))
    first = lib.growing_scale(torch.tensor([[8191]]), 8192, 0.1)
    assert first.item() == pytest.approx(1 + 0.1 * math.log(2))
    with pytest.raises(ValueError, match="floor is 0"):
        lib.growing_scale(torch.arange(3), 0, 0.1)


def test_refusals_name_the_numbers() -> None:
    with pytest.raises(ValueError, match="so D >= 1; D is 0"):
        lib.softmax_scale(0)
    with pytest.raises(ValueError, match="positive and finite; it is 0, with head_dim = 64"):
        lib.softmax_scale(64, query_pre_attn_scalar=0)
    with pytest.raises(ValueError, match=r"yarn_factor is 0\.5, with head_dim = 64"):
        lib.softmax_scale(64, yarn_factor=0.5)
    with pytest.raises(ValueError, match="so D >= 1; D is 0, n is 5"):
        lib.score_variance(0, 5, generator(), 1.0)
    with pytest.raises(ValueError, match="so n >= 2; n is 1, D is 5"):
        lib.score_variance(5, 1, generator(), 1.0)
    for sizes, name in (((0, 2, 3), "D"), ((1, 0, 3), "S"), ((1, 2, 0), "trials")):
        D, S, trials = sizes
        message = f"so {name} >= 1; {name} is 0; D={D}, S={S}, trials={trials}"
        with pytest.raises(ValueError, match=message):
            lib.saturation(D, S, 1.0, trials, generator())
