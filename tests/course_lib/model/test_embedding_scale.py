"""Gemma multiplies a token's vector by √C, which is rounded to the weights' dtype first."""

import math

import pytest
import torch
from tiny_models import make_pair
from tiny_parts import C, V
from torch import Tensor


def entering(blocks: torch.nn.Module, model: torch.nn.Module, ids: Tensor) -> Tensor:
    """What the first block reads."""
    seen: list[Tensor] = []
    hook = blocks.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.no_grad():
        model(ids)
    hook.remove()
    return seen[0]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("name", ["Gemma 2", "Gemma 3"])
def test_the_scale_is_rounded_before_it_multiplies(name: str, dtype: torch.dtype) -> None:
    theirs, ours = (model.to(dtype) for model in make_pair(name))
    ids = torch.arange(V)[None]
    found = entering(ours.blocks[0], ours, ids)
    vectors = ours.embedding.detach()[ids]
    rounded = torch.tensor(math.sqrt(C), dtype=dtype)
    assert torch.equal(found, vectors * rounded)
    assert torch.equal(found, entering(theirs.model.layers[0], theirs, ids))
    if dtype == torch.bfloat16:
        # √48 = 6.9282 is 6.9375 in bfloat16; a scale that is not rounded gives other vectors.
        assert rounded.item() == 6.9375
        assert (found != vectors * math.sqrt(C)).float().mean() > 0.1
