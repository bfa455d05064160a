"""The table of expected growth is measured again."""

import math

import torch

from grading.exercises import find
from grading.exercises.limits_of_rnns.measures import GROWTH


def test_the_table_of_growth_is_measured_again() -> None:
    n = 40_000
    for (N, T, gain), (mean, spread) in GROWTH.items():
        generator = torch.Generator().manual_seed(3)
        w = torch.randn(n, N, N, generator=generator, dtype=torch.float64) * gain / math.sqrt(N)
        g = torch.randn(n, N, 1, generator=generator, dtype=torch.float64)
        first = g.norm(dim=1)
        for _ in range(T):
            g = w @ g
        growth = (g.norm(dim=1) / first).log() / T
        assert abs(float(growth.mean()) - mean) < 4 * spread / math.sqrt(n) + 3e-4
        assert abs(float(growth.std()) / spread - 1) < 0.02


def test_a_gain_scales_every_growth_alike() -> None:
    exercise = find("gradient_growth")
    assert exercise is not None
    one, other = (
        exercise.alternatives[0](7, 4, gain, 50, torch.Generator().manual_seed(0))
        for gain in (0.5, 2.0)
    )
    assert abs(float(other - one) - math.log(4)) < 1e-9
