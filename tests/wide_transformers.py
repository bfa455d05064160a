"""Models of transformers that compute in float32 whatever their dtype, made to compute in float64.

Their code names the dtype at each step that it widens half precision for. Where a norm stands
behind a small number, float32 leaves three digits of a logit, too few to tell a mistake from it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor
from transformers.models.qwen3_5_moe import modeling_qwen3_5_moe
from transformers.models.qwen3_next import modeling_qwen3_next

MODULES = (modeling_qwen3_next, modeling_qwen3_5_moe)


class _Wide:
    """PyTorch, where float32 is another name of float64."""

    float = float32 = torch.float64

    def __getattr__(self, name: str) -> object:
        return getattr(torch, name)


@contextmanager
def in_float64() -> Iterator[None]:
    """Let what those modules call float32 be float64, while models are made and while they run."""
    with pytest.MonkeyPatch.context() as patch:
        for module in MODULES:
            patch.setattr(module, "torch", _Wide())
        patch.setattr(Tensor, "float", Tensor.double)
        yield
