"""The softmax turns scores into weights: stable, in logarithms, masked, with a sink."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.kinds import require_floats
from course_lib.masks import require_mask
from course_lib.precision import at_least_float32
from course_lib.shapes import require_entries
from course_lib.sizes import require_number

__all__ = [
    "log_softmax",
    "logsumexp",
    "masked_softmax",
    "softmax",
    "softmax_vjp",
    "softmax_with_sink",
]


def softmax(x: Float[Tensor, "*shape"], axis: int = -1) -> Float[Tensor, "*shape"]:
    r"""Turn scores into positive weights that sum to one along an axis.

    The maximum m is subtracted first. It cancels, and no exponential can overflow:

    .. math:: p_i = \frac{e^{x_i - m}}{\sum_j e^{x_j - m}}, \qquad m = \max_j x_j

    Args:
        x: scores; minus infinity gives weight zero.
        axis: the axis that sums to one; with scores it is the last, the keys.

    Returns:
        The weights, in the dtype of x; half precision is computed in float32 and rounded once. A
        row of minus infinities has no distribution and gives NaN, as in PyTorch;
        ``masked_softmax`` gives zeros there. A row with plus infinity or NaN gives NaN.

    Raises:
        ValueError: if x has no such axis, or no entry along it.

    Source: Bridle 1990 for the name; the subtraction: Goodfellow et al. 2016, sec. 4.1.

    >>> softmax(torch.tensor([1000.0, 1000.0, -torch.inf]))
    tensor([0.5000, 0.5000, 0.0000])
    """
    require_entries(x, axis)
    wide = at_least_float32(x)
    exponentials = (wide - _maximum(wide, axis)).exp_()
    total = exponentials.sum(axis, keepdim=True)
    return _divide(exponentials, total).to(x.dtype)


def logsumexp(x: Float[Tensor, "*shape"], axis: int = -1) -> Float[Tensor, "*rest"]:
    r"""Return the logarithm of the softmax's denominator, without overflow.

    .. math:: \mathrm{lse}(x) = m + \log \sum_j e^{x_j - m}, \qquad m = \max_j x_j

    Args:
        x: scores.
        axis: the axis to sum over.

    Returns:
        One number per row, in the dtype of x, computed in at least float32; the axis is dropped.
        Minus infinity where every score is minus infinity (the logarithm of an empty sum), with
        gradient zero; plus infinity where a score is plus infinity; NaN where one is NaN.

    Raises:
        ValueError: if x has no such axis, or no entry along it.

    Source: Blanchard, Higham and Higham 2021 (arXiv:1909.03469), sec. 1.

    >>> logsumexp(torch.tensor([1000.0, 1000.0, -torch.inf]))
    tensor(1000.6932)
    """
    require_entries(x, axis)
    wide = at_least_float32(x)
    maximum = _maximum(wide, axis)
    empty = maximum == -torch.inf
    shift = maximum.masked_fill(maximum.isinf(), 0.0)  # inf - inf would be NaN
    total = (wide - shift).exp().sum(axis, keepdim=True)
    # log'(0) is infinite: empty rows take the logarithm of 1 and are filled afterwards.
    result = (total.masked_fill(empty, 1.0).log() + shift).masked_fill(empty, -torch.inf)
    return result.squeeze(axis).to(x.dtype)


def log_softmax(x: Float[Tensor, "*shape"], axis: int = -1) -> Float[Tensor, "*shape"]:
    r"""Return the logarithms of the weights, finite even where a weight rounds to zero.

    .. math:: \log p_i = (x_i - m) - \log \sum_j e^{x_j - m}

    Args:
        x: scores.
        axis: the axis whose weights sum to one.

    Returns:
        The log-weights, all at most zero, in the dtype of x, computed in at least float32. A row
        of minus infinities, or with plus infinity or NaN, gives NaN, as in ``softmax``.

    Raises:
        ValueError: if x has no such axis, or no entry along it.

    Source: Blanchard, Higham and Higham 2021 (arXiv:1909.03469), sec. 1. The shift stays inside:
    x - lse(x) would round x and lse(x) first, and lose the digits of a large maximum.

    >>> log_softmax(torch.tensor([0.0, -1000.0]))
    tensor([    0., -1000.])
    """
    require_entries(x, axis)
    wide = at_least_float32(x)
    shifted = wide - _maximum(wide, axis)
    return (shifted - shifted.exp().sum(axis, keepdim=True).log()).to(x.dtype)


def softmax_vjp(
    weights: Float[Tensor, "*shape"], grad_weights: Float[Tensor, "*shape"], axis: int = -1
) -> Float[Tensor, "*shape"]:
    r"""Carry a gradient from the weights back to the scores.

    The Jacobian is diag(p) - p pᵀ. Its product with g needs no matrix:

    .. math:: \frac{\partial L}{\partial x} = p \odot \Big(g - \sum_j p_j g_j\Big), \qquad
        g = \frac{\partial L}{\partial p}

    Args:
        weights: p, what the softmax returned.
        grad_weights: g, the gradient of the loss with respect to p.
        axis: the axis along which p sums to one.

    Returns:
        The gradient with respect to the scores, in the dtype of the weights, computed in at least
        float32; it sums to zero along the axis. NaN or an infinity leaves no finite number in its
        row.

    Raises:
        ValueError: if the two shapes differ, or there is no such axis.

    Source: Dao et al. 2022 (arXiv:2205.14135), appendix B.2.
    Cost: 4 S FLOPs a row, and no S x S Jacobian in memory.
    """
    require_floats(weights=weights, grad_weights=grad_weights)
    if weights.shape != grad_weights.shape:
        raise ValueError(
            "softmax_vjp needs one gradient per weight; "
            f"weights has {weights.numel()} entries and grad_weights {grad_weights.numel()}; "
            f"shapes {tuple(weights.shape)} and {tuple(grad_weights.shape)}"
        )
    require_entries(weights, axis, "weights")
    p, g = at_least_float32(weights), at_least_float32(grad_weights)
    mean = (p * g).sum(axis, keepdim=True)
    return (p * (g - mean)).to(weights.dtype)


def softmax_with_sink(
    scores: Float[Tensor, "*queries S"], sink: Float[Tensor, " H"] | float
) -> Float[Tensor, "*queries S"]:
    r"""Softmax over the scores and one more score, the sink, whose weight is thrown away.

    .. math:: p_s = \frac{e^{z_s}}{e^{\sigma_h} + \sum_j e^{z_j}}

    Args:
        scores: the axes end in H, T, S where the sink has one score per head; with a number as
            sink, any leading axes will do.
        sink: the extra score of each head, or one number for all. Minus infinity: no sink. Zero
            is "softmax1".

    Returns:
        S weights per query, which sum to less than one, in the dtype of the scores, computed in at
        least float32. Equal to softmax(z) sigmoid(lse(z) - sink). A query whose scores are all
        minus infinity gets zeros, with or without a sink. Plus infinity or NaN, as a score or as
        the sink, makes the row NaN.

    Raises:
        ValueError: if the sink does not have one score per head, or there is no key.

    Source: gpt-oss (arXiv:2508.10925) and its ``torch/model.py``, where the column is dropped after
    the softmax; Miller 2023, "Attention is off by one", for a sink of zero.

    >>> softmax_with_sink(torch.zeros(3), sink=0.0)
    tensor([0.2500, 0.2500, 0.2500])
    """
    require_entries(scores, -1)
    if isinstance(sink, Tensor):
        require_floats(scores=scores, sink=sink)
    else:
        require_number(sink=sink)
    wide = at_least_float32(scores)
    extra = torch.as_tensor(sink, dtype=wide.dtype, device=wide.device)
    if extra.ndim > 0:
        if scores.ndim < 3 or extra.shape != scores.shape[-3:-2]:
            heads = scores.shape[-3] if scores.ndim >= 3 else 0
            raise ValueError(
                "sink needs one score per head, on the third axis of the scores from the right; "
                f"H is {heads} and sink has {extra.numel()} scores; "
                f"shapes {tuple(scores.shape)} and {tuple(extra.shape)}"
            )
        extra = extra[:, None, None]
    maximum = torch.maximum(_maximum(wide, -1), extra.detach())
    shift = maximum.clamp(min=torch.finfo(maximum.dtype).min)  # (-inf) - (-inf) would be NaN
    exponentials = (wide - shift).exp_()
    total = exponentials.sum(-1, keepdim=True) + (extra - shift).exp()
    return _divide(exponentials, total.clamp(min=1.0)).to(scores.dtype)  # 1: nothing to read


def masked_softmax(
    scores: Float[Tensor, "*batch T S"], may_attend: Bool[Tensor, "*#batch #T #S"]
) -> Float[Tensor, "*batch T S"]:
    r"""Softmax over the keys that a query may read; the others get weight zero.

    .. math:: p_{ts} = \frac{M_{ts}\, e^{z_{ts}}}{\sum_j M_{tj}\, e^{z_{tj}}}, \qquad
        p_{ts} = 0 \text{ where } M_{ts} = 0

    Blocked scores are filled with minus infinity, not with a large negative number, which a
    readable score may equal. A row of nothing else has the sum 0, and is divided by 1 instead.

    Args:
        scores: one row per query, one column per key.
        may_attend: True where query t may read key s. It has two axes, or all axes of the scores,
            each of their size or 1.

    Returns:
        The weights, in the dtype of the scores, computed in at least float32. A query with no key
        to read gets zeros, never NaN, and a score that may not be read has no influence, whatever
        it is. A readable score of minus infinity gets zero too; plus infinity or NaN makes NaN.

    Raises:
        ValueError: if may_attend does not fit the scores, or there is no key.
        TypeError: if may_attend is not of torch.bool.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), sec. 3.2.3.

    >>> masked_softmax(torch.zeros(2, 2), torch.tensor([[True, False], [False, False]]))
    tensor([[1., 0.],
            [0., 0.]])
    """
    require_mask(may_attend, scores)
    require_entries(scores, -1)
    readable = at_least_float32(scores).masked_fill(~may_attend, -torch.inf)
    shift = _maximum(readable, -1).clamp(min=torch.finfo(readable.dtype).min)  # -inf + inf: NaN
    exponentials = readable.sub_(shift).exp_()
    total = exponentials.sum(-1, keepdim=True)
    return _divide(exponentials, total.clamp(min=1.0)).to(scores.dtype)


def _maximum(x: Tensor, axis: int) -> Tensor:
    return x.detach().amax(axis, keepdim=True)  # the shift cancels: no gradient passes through it


def _divide(exponentials: Tensor, total: Tensor) -> Tensor:  # in place: new memory is what costs
    return exponentials / total if exponentials.requires_grad else exponentials.div_(total)
