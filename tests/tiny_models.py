"""Tiny random models of released architectures: transformers' and ours, with the same weights."""

import torch
from tiny_dense_models import DENSE
from tiny_mixtures import MIXED
from tiny_parts import Architecture
from torch import nn

from course_lib.model.decoder import Decoder

ARCHITECTURES: dict[str, Architecture] = DENSE | MIXED


def draw_all(model: nn.Module, seed: int) -> None:
    """Draw every parameter, gains, shifts and biases too: none of them is at its neutral value."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            spread = 0.3 if parameter.ndim == 1 else 0.7 * parameter.shape[-1] ** -0.5
            parameter.add_(spread * torch.randn(parameter.shape, generator=generator))
        for name, buffer in model.named_buffers():
            if "correction_bias" in name:  # what balances loads is no parameter
                buffer.add_(0.3 * torch.randn(buffer.shape, generator=generator))


def make_pair(name: str, seed: int = 0) -> tuple[nn.Module, Decoder]:
    """Draw one model of transformers and load its weights into ours."""
    architecture = ARCHITECTURES[name]
    torch.manual_seed(seed)
    theirs = architecture.theirs().eval()
    draw_all(theirs, seed)
    ours = Decoder(architecture.ours)
    converted = architecture.convert(theirs.state_dict(), architecture.ours)
    ours.load_state_dict(converted)
    return theirs, ours.eval()
