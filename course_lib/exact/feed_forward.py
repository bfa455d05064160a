"""The feed-forward network, one block of positions after another: its hidden layer never exists."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import Function

from course_lib.exact.once import require_first_derivative
from course_lib.layers.activations import relu
from course_lib.precision import at_least_float32, without_autocast
from course_lib.shapes import require_projection
from course_lib.sizes import require_positive

__all__ = ["blockwise_feed_forward"]


def blockwise_feed_forward(
    x: Float[Tensor, "B T C"], w_in: Float[Tensor, "C F"], w_out: Float[Tensor, "F C"], block: int
) -> Float[Tensor, "B T C"]:
    r"""Widen, bend and narrow a block of positions at a time, forward and back.

    .. math:: y_t = \max(x_t W_1, 0)\, W_2

    Once attention holds no scores, the hidden layer is the largest thing in a layer: F = 4 C
    numbers a position. Positions do not meet in it, so each block of them can be finished before
    the next one begins. The way back computes a block's hidden layer a second time.

    Args:
        x: one vector per position.
        w_in: W₁.
        w_out: W₂.
        block: positions of one example at a time; T need not be a multiple.

    Returns:
        One vector per position, the same as ``feed_forward`` without biases and with ReLU. NaN in a
        vector makes its result NaN, and no other's.

    Raises:
        ValueError: if a matrix has not one row per entry of what it multiplies, or the block is
            empty.
        ValueError: on the way back, where a gradient of the gradient is asked for.

    Source: Liu and Abbeel 2023, Blockwise Parallel Transformer (arXiv:2305.19370), sec. 3 and
    alg. 1, where a block is fed forward as soon as attention has made it.
    Cost: 4 B T C F FLOPs forward and 10 B T C F back; block · F numbers of the hidden layer are
    held at a time.
    """
    require_projection("x", x, "w_in", w_in)
    require_projection("the hidden layer", x.new_zeros(1, w_in.shape[1]), "w_out", w_out)
    require_positive(block=block)
    matrices = (w.to(x.dtype) for w in (w_in, w_out))  # under autocast they may differ
    result: Tensor = _InBlocks.apply(x, *matrices, block)  # type: ignore[no-untyped-call]
    return result


class _InBlocks(Function):
    """Keeps the vectors that come in, and no hidden layer."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w_in: Tensor, w_out: Tensor, block: int) -> Tensor:
        ctx.save_for_backward(x, w_in, w_out)
        ctx.block = block
        result = x.new_empty(*x.shape[:-1], w_out.shape[1])
        with without_autocast(x.device):
            for example, rows in _blocks(x, block):
                result[example, rows] = relu(x[example, rows] @ w_in) @ w_out
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        require_first_derivative("blockwise_feed_forward", "feed_forward")
        x, w_in, w_out = ctx.saved_tensors
        grad_x = torch.empty_like(x)
        grad_in, grad_out = (torch.zeros_like(at_least_float32(w)) for w in (w_in, w_out))
        for example, rows in _blocks(x, ctx.block):
            vectors, arrived = x[example, rows], gradient[example, rows]
            hidden = relu(vectors @ w_in)
            grad_out += hidden.mT @ arrived
            grad_hidden = (arrived @ w_out.mT).masked_fill_(hidden <= 0, 0.0)
            grad_in += vectors.mT @ grad_hidden
            grad_x[example, rows] = grad_hidden @ w_in.mT
        return grad_x, grad_in.to(w_in.dtype), grad_out.to(w_out.dtype), None


def _blocks(x: Tensor, block: int) -> list[tuple[int, slice]]:
    starts = range(0, x.shape[1], block)
    return [(b, slice(start, start + block)) for b in range(x.shape[0]) for start in starts]
