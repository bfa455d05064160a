"""A model filled part by part: beyond itself, never more than one part is held."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from tqdm import tqdm

from course_lib.config.decoder import DecoderConfig
from course_lib.model.decoder import Decoder

__all__ = ["load_parts"]


def load_parts(
    config: DecoderConfig,
    parts: Iterable[dict[str, Float[Tensor, "..."]]],
    dtype: torch.dtype,
    is_quiet: bool = False,
) -> Decoder:
    """Make a decoder out of a checkpoint's parts, as they come.

    The model is made without numbers. Each part's tensors become its parameters and are let go of,
    so the memory is that of the model and of one part.

    Args:
        config: the model.
        parts: our names -> tensors, the embedding first, then each layer, then what follows.
        dtype: that of the parameters.
        is_quiet: True shows no progress bar.

    Returns:
        The model, ready to run.

    Raises:
        ValueError: if a tensor has another shape than the model's, a name is none of the model's,
            or a parameter stays without numbers.
    """
    with torch.device("meta"):
        model = Decoder(config)
    wanted = dict(model.named_parameters())
    buffers = dict(model.named_buffers())
    walked = tqdm(parts, total=config.num_layers + 2, desc="parts", disable=is_quiet)
    for part in walked:
        for name, tensor in part.items():
            expected = wanted.pop(name, buffers.pop(name, None))
            if expected is None:
                raise ValueError(
                    f"each tensor is one of the model's, once; {name!r} of shape "
                    f"{tuple(tensor.shape)} is not, among {len(wanted)} that are still awaited"
                )
            if expected.shape != tensor.shape:
                raise ValueError(
                    f"a tensor has the shape that the configuration gives it; {name!r} has "
                    f"{tuple(tensor.shape)} and its place {tuple(expected.shape)}"
                )
            _set(model, name, tensor.to(dtype), is_parameter=isinstance(expected, nn.Parameter))
    left = sorted([*wanted, *buffers])
    if left:
        raise ValueError(
            f"every parameter comes with some part; {len(left)} did not, the first is {left[0]!r}"
        )
    return model


def _set(model: nn.Module, name: str, tensor: Tensor, *, is_parameter: bool) -> None:
    *modules, last = name.split(".")
    owner = model.get_submodule(".".join(modules))
    setattr(owner, last, nn.Parameter(tensor) if is_parameter else tensor)
