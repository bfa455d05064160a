"""Layers whose inputs are computed again from their outputs, so that none has to be kept."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.kinds import require_same_dtype

__all__ = ["ReversibleLayer", "couple", "reversible_layers", "uncouple"]

Stream = Float[Tensor, "*batch T C"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReversibleLayer:
    """Two functions of a layer: of one stream and of parameters, which training is to reach.

    Attributes:
        f: makes of x2 and its parameters what is added to x1: attention, in Reformer.
        g: makes of y1 and its parameters what is added to x2: the feed-forward network.
        f_parameters: tensors that f is handed behind its stream.
        g_parameters: tensors that g is handed behind its stream.
    """

    f: Callable[..., Tensor]
    g: Callable[..., Tensor]
    f_parameters: tuple[Tensor, ...] = ()
    g_parameters: tuple[Tensor, ...] = ()


def couple(
    x1: Stream, x2: Stream, f: Callable[[Tensor], Tensor], g: Callable[[Tensor], Tensor]
) -> tuple[Stream, Stream]:
    r"""Add to each of two streams a function of the other.

    .. math:: y_1 = x_1 + f(x_2), \qquad y_2 = x_2 + g(y_1)

    Args:
        x1: the first stream.
        x2: the second stream, of the same shape.
        f: what is added to the first; the same result for the same input, so without dropout.
        g: what is added to the second; it sees the new first one.

    Returns:
        The two new streams.

    Raises:
        ValueError: if the streams, or what is added to them, differ in shape or dtype.

    Source: Kitaev et al. 2020 (arXiv:2001.04451), sec. 3, eq. 8 and 9, after Gomez et al. 2017
    (arXiv:1707.04585), eq. 6.

    >>> one = torch.ones(1, 1)
    >>> couple(one, 2 * one, lambda x: 10 * x, lambda x: x / 3)
    (tensor([[21.]]), tensor([[9.]]))
    """
    _require_streams("x1", x1, "x2", x2)
    y1 = x1 + _same_shape("f", f(x2), x2)
    return y1, x2 + _same_shape("g", g(y1), y1)


def uncouple(
    y1: Stream, y2: Stream, f: Callable[[Tensor], Tensor], g: Callable[[Tensor], Tensor]
) -> tuple[Stream, Stream]:
    r"""Compute the inputs of ``couple`` from its outputs: the last step is undone first.

    .. math:: x_2 = y_2 - g(y_1), \qquad x_1 = y_1 - f(x_2)

    Args:
        y1: the first output.
        y2: the second output.
        f: what was added to the first stream.
        g: what was added to the second.

    Returns:
        The inputs, but for rounding: neither f nor g has to have an inverse.

    Raises:
        ValueError: if the streams, or what is taken from them, differ in shape or dtype.

    Source: Kitaev et al. 2020 (arXiv:2001.04451), sec. 3, after Gomez et al. 2017
    (arXiv:1707.04585), eq. 7.
    """
    _require_streams("y1", y1, "y2", y2)
    x2 = y2 - _same_shape("g", g(y1), y1)
    return y1 - _same_shape("f", f(x2), x2), x2


def reversible_layers(
    x1: Stream, x2: Stream, layers: tuple[ReversibleLayer, ...]
) -> tuple[Stream, Stream]:
    r"""Couple the streams layer after layer, and keep nothing but the last outputs for training.

    Args:
        x1: the first stream.
        x2: the second stream; Reformer begins with the same in both.
        layers: in order. The parameters of a module are handed over in the layer too (by
            ``torch.func.functional_call``): what is reached by another way gets no gradient.

    Returns:
        The two streams behind the last layer. Going back, each layer's inputs are computed again;
        they differ from the true ones by rounding, more with each layer.

    Raises:
        ValueError: if the streams, or what is added to them, differ in shape or dtype; going back,
            if a function uses a tensor that asks for a gradient and is no parameter of the layer,
            or if the inputs that were rebuilt are not those that came in.

    Source: Kitaev et al. 2020 (arXiv:2001.04451), sec. 3; the backward pass: Gomez et al. 2017
    (arXiv:1707.04585), alg. 1. There are first derivatives only.
    Cost: the functions run once more going back; two streams are kept, however many the layers.
    """
    _require_streams("x1", x1, "x2", x2)
    parameters = [p for layer in layers for p in (*layer.f_parameters, *layer.g_parameters)]
    y1, y2 = _Reversible.apply(layers, x1, x2, *parameters)  # type: ignore[no-untyped-call]
    return y1, y2


class _Reversible(torch.autograd.Function):
    """Forward without a graph; backward layer by layer from the outputs."""

    @staticmethod
    def forward(
        ctx: Any, layers: tuple[ReversibleLayer, ...], x1: Tensor, x2: Tensor, *parameters: Tensor
    ) -> tuple[Tensor, Tensor]:
        y1, y2 = x1, x2
        for layer in layers:
            y1, y2 = couple(y1, y2, *_closed(layer))
        ctx.layers, ctx.samples = layers, (_sample(x1), _sample(x2))
        ctx.save_for_backward(y1, y2, *parameters)
        # Without a layer the inputs themselves would be handed out as new tensors.
        return (y1, y2) if layers else (x1.clone(), x2.clone())

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad1: Tensor, grad2: Tensor) -> tuple[Tensor | None, ...]:
        y1, y2, *parameters = ctx.saved_tensors
        gradients: list[Tensor | None] = []
        for layer in reversed(ctx.layers):
            count = len(layer.f_parameters)
            own = parameters[len(parameters) - count - len(layer.g_parameters) :]
            del parameters[len(parameters) - len(own) :]
            added, more, of_g = _through(layer.g, y1, own[count:], grad2)
            y2, grad1 = y2 - added, grad1 + more  # y2 is x2 from here on
            added, more, of_f = _through(layer.f, y2, own[:count], grad1)
            y1, grad2 = y1 - added, grad2 + more
            gradients = [*of_f, *of_g, *gradients]
        for rebuilt, came in zip((y1, y2), ctx.samples, strict=True):
            _require_rebuilt(_sample(rebuilt), came)
        return None, grad1, grad2, *gradients


def _through(
    function: Callable[..., Tensor], x: Tensor, parameters: list[Tensor], gradient: Tensor
) -> tuple[Tensor, Tensor, list[Tensor | None]]:
    """Run a function again; its result, and the gradients of its stream and its parameters."""
    with torch.enable_grad():
        inputs = [
            part.detach().requires_grad_(part.is_floating_point()) for part in (x, *parameters)
        ]
        result = function(*inputs)
    _refuse_unreached(result, inputs)
    if not result.requires_grad:  # a constant
        return result, torch.zeros_like(x), [None for _ in parameters]
    found = torch.autograd.grad(result, inputs, gradient, allow_unused=True)
    of_x = torch.zeros_like(x) if found[0] is None else found[0]
    return result.detach(), of_x, list(found[1:])


def _sample(x: Tensor) -> Tensor:
    """Some 64 numbers of a stream, for comparing what is rebuilt."""
    return x.detach().flatten()[:: max(x.numel() // 64, 1)].clone()


def _require_rebuilt(rebuilt: Tensor, came: Tensor) -> None:
    """Say so where the inputs are not those that came in: then the gradients are others' too."""
    off = (rebuilt - came).abs()
    # A few roundings of each layer; dropout is off by as much as the numbers themselves.
    allowed = 10 * torch.finfo(came.dtype).eps ** 0.5 * (1 + came.abs())
    if (off > allowed).any():
        raise ValueError(
            "the functions of a layer make the same of the same input, so no dropout, and nothing "
            "that changes between the passes; the inputs that were rebuilt are off by "
            f"{off.max().item():.3g}, where {allowed.min().item():.3g} is rounding"
        )


def _refuse_unreached(result: Tensor, inputs: list[Tensor]) -> None:
    """Say so where a tensor that wants a gradient would get none, and never learn."""
    reached, nodes, seen = {id(part) for part in inputs}, [result.grad_fn], set()
    while nodes:
        node = nodes.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)
        if leaf is not None and id(leaf) not in reached:
            raise ValueError(
                "gradients reach a layer's stream, f_parameters and g_parameters alone; one of its "
                f"functions also uses a tensor that asks for one, of shape {tuple(leaf.shape)}, "
                f"and it got {len(inputs) - 1} parameters"
            )
        nodes.extend(following for following, _ in node.next_functions)


def _closed(
    layer: ReversibleLayer,
) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
    """The two functions of a stream alone."""
    return (
        lambda x: layer.f(x, *layer.f_parameters),
        lambda x: layer.g(x, *layer.g_parameters),
    )


def _require_streams(name: str, one: Tensor, other_name: str, other: Tensor) -> None:
    require_same_dtype(**{name: one, other_name: other})
    if one.shape != other.shape:
        raise ValueError(
            f"the two streams are added to each other's functions, so {name} and {other_name} are "
            f"of one shape; shapes {tuple(one.shape)} and {tuple(other.shape)}"
        )


def _same_shape(name: str, result: Tensor, stream: Tensor) -> Tensor:
    """Refuse what would be broadcast: then it could not be taken off again."""
    if result.shape != stream.shape or result.dtype != stream.dtype:
        raise ValueError(
            f"{name} keeps the shape and the dtype of its stream; it made {tuple(result.shape)} "
            f"of {result.dtype} from {tuple(stream.shape)} of {stream.dtype}"
        )
    return result
