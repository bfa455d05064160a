"""How probes draw their inputs."""

from __future__ import annotations

from grading.late import Tensor, torch

__all__ = ["normal"]


def normal(generator: torch.Generator, *shape: int) -> Tensor:
    """Draw standard normal numbers in float64."""
    return torch.randn(*shape, generator=generator, dtype=torch.float64)
