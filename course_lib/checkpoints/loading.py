"""A model filled part by part: beyond itself, never more than one part is held."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NoReturn

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from tqdm import tqdm

from course_lib.config.classifier import TokenClassifierConfig
from course_lib.config.decoder import DecoderConfig
from course_lib.model.classifier import TokenClassifier
from course_lib.model.decoder import Decoder

__all__ = ["fill", "load_classifier_parts", "load_parts", "put"]


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
    with tqdm(total=config.num_layers + 2, desc="parts", disable=is_quiet) as progress:
        _fill_all(model, parts, dtype, progress)
    return model


def load_classifier_parts(
    config: TokenClassifierConfig,
    parts: Iterable[dict[str, Float[Tensor, "..."]]],
    dtype: torch.dtype,
    is_quiet: bool = False,
) -> TokenClassifier:
    """Make a model that labels tokens out of a checkpoint's parts, as ``load_parts`` does.

    Args:
        config: the model.
        parts: our names -> tensors, such as ``privacy_filter_parts``.
        dtype: that of the parameters.
        is_quiet: True shows no progress bar.

    Returns:
        The model, ready to run.

    Raises:
        ValueError: as ``load_parts``.
    """
    with torch.device("meta"):
        model = TokenClassifier(config)
    with tqdm(total=config.num_layers + 2, desc="parts", disable=is_quiet) as progress:
        _fill_all(model, parts, dtype, progress)
    return model


def _fill_all(
    model: nn.Module,
    parts: Iterable[dict[str, Tensor]],
    dtype: torch.dtype,
    progress: "tqdm[NoReturn]",
) -> None:
    awaited = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    source = iter(parts)
    while _fill_next(model, source, awaited, dtype):
        progress.update()
    left = sorted(awaited)
    if left:
        raise ValueError(
            f"every parameter comes with some part; {len(left)} did not, the first is {left[0]!r}"
        )


def _fill_next(
    model: nn.Module,
    source: Iterator[dict[str, Tensor]],
    awaited: dict[str, Tensor],
    dtype: torch.dtype,
) -> bool:
    """Fill in one part, if there is one; with the return nothing here holds it."""
    part = next(source, None)
    if part is not None:
        fill(model, part, awaited, dtype)
    return part is not None


def fill(
    model: nn.Module,
    part: Mapping[str, Float[Tensor, "..."]],
    awaited: dict[str, Float[Tensor, "..."]],
    dtype: torch.dtype,
) -> None:
    """Put a part's tensors in the place of parameters that have no numbers yet.

    Args:
        model: the model.
        part: our names -> tensors.
        awaited: names -> parameters and buffers without numbers; those that came are taken out.
        dtype: that of the parameters.

    Returns:
        Nothing.

    Raises:
        ValueError: if a tensor has another shape than the model's, or a name is none of those that
            are awaited.
    """
    for name, tensor in part.items():
        expected = awaited.pop(name, None)
        if expected is None:
            raise ValueError(
                f"each tensor is one of the model's, once; {name!r} of shape "
                f"{tuple(tensor.shape)} is not, among {len(awaited)} that are still awaited"
            )
        if expected.shape != tensor.shape:
            raise ValueError(
                f"a tensor has the shape that the configuration gives it; {name!r} has "
                f"{tuple(tensor.shape)} and its place {tuple(expected.shape)}"
            )
        put(model, name, tensor.to(dtype), is_parameter=isinstance(expected, nn.Parameter))


def put(model: nn.Module, name: str, tensor: Shaped[Tensor, "..."], *, is_parameter: bool) -> None:
    """Let a tensor be the parameter or the buffer of that name.

    Args:
        model: the model.
        name: modules and the tensor's own name, with points between them.
        tensor: what stands there from now on.
        is_parameter: False for a buffer.

    Returns:
        Nothing.
    """
    *modules, last = name.split(".")
    owner = model.get_submodule(".".join(modules))
    setattr(owner, last, nn.Parameter(tensor) if is_parameter else tensor)
