"""Logits before the choice: a temperature, and the tokens that are left out."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.kinds import require_floats
from course_lib.shapes import require_axes
from course_lib.sizes import require_number, require_whole
from course_lib.softmax import softmax

__all__ = ["require_choice", "temperature_logits", "top_k_logits", "top_p_logits"]


def temperature_logits(
    logits: Float[Tensor, "*batch V"], temperature: float
) -> Float[Tensor, "*batch V"]:
    r"""Divide the logits: below 1 large ones gain, above 1 all become more alike.

    .. math:: z_v / \tau, \qquad \mathrm{softmax}(z / \tau)_v \propto p_v^{1 / \tau}

    Args:
        logits: one row per sequence.
        temperature: τ, above 0. At 0 there would be no logits but a choice: ``greedy``.

    Returns:
        The logits of the sharper or flatter distribution, in the dtype that came. A row that would
        overflow is lowered first until its largest logit is 0, which changes no weight: a τ close
        to 0 leaves the largest logit, and minus infinity beside it.

    Raises:
        ValueError: if the temperature is not above 0, or not finite.

    Source: Ackley, Hinton and Sejnowski 1985, eq. 3; for text Holtzman et al. 2019
    (arXiv:1904.09751), eq. 5.
    """
    _require_rows(logits)
    require_number(temperature=temperature)
    if not (temperature > 0 and math.isfinite(temperature)):
        raise ValueError(
            "logits are divided by a temperature above 0, and at 0 the choice is greedy; "
            f"temperature is {temperature}; shape {tuple(logits.shape)}"
        )
    sharpened = logits / temperature
    overflows = (~sharpened.isfinite() & logits.isfinite()).any(-1, keepdim=True)
    # In float64 no temperature is rounded to 0. Without a token there is no largest logit.
    largest = logits.double().amax(-1, keepdim=True) if logits.numel() else logits.double()
    lowered = ((logits - largest) / temperature).to(logits.dtype)
    return torch.where(overflows, lowered, sharpened)


def top_k_logits(logits: Float[Tensor, "*batch V"], k: int) -> Float[Tensor, "*batch V"]:
    r"""Keep the k largest logits; the others become minus infinity, which is weight zero.

    .. math:: z'_v = z_v \text{ if fewer than } k \text{ stand before } v,
        \text{ else } -\infty

    Tokens stand in the order of their logits; of equal ones the lower id stands first. So exactly
    k are kept, also where the k-th logit comes more than once.

    Args:
        logits: one row per sequence.
        k: tokens to keep, from 1 to V.

    Returns:
        The logits; those that are kept are unchanged.

    Raises:
        ValueError: if k is not from 1 to V.

    Source: Fan et al. 2018 (arXiv:1805.04833), sec. 5.4. transformers keeps every token that equals
    the k-th, so more than k.

    >>> top_k_logits(torch.tensor([1.0, 3.0, 1.0, 2.0]), k=3)
    tensor([1., 3., -inf, 2.])
    """
    _require_rows(logits)
    require_whole(k=k)
    vocab_size = logits.shape[-1]
    if not 1 <= k <= vocab_size:
        raise ValueError(
            "top-k keeps at least one token and at most all, 1 <= k <= V; "
            f"k is {k} and V is {vocab_size}; shape {tuple(logits.shape)}"
        )
    order = logits.argsort(dim=-1, descending=True, stable=True)
    return logits.scatter(-1, order[..., k:], -torch.inf)


def top_p_logits(logits: Float[Tensor, "*batch V"], p: float) -> Float[Tensor, "*batch V"]:
    r"""Keep the fewest tokens whose weights together reach p; the others become minus infinity.

    .. math:: z'_v = z_v \text{ if } \sum_{u \text{ before } v} \mathrm{softmax}(z)_u < p,
        \text{ else } -\infty

    Tokens stand in the order of their weights; of equal ones the lower id stands first. The token
    with which the sum reaches p is kept, so at least one is.

    Args:
        logits: one row per sequence.
        p: the share to keep, above 0 and at most 1; at 1 nothing changes.

    Returns:
        The logits; those that are kept are unchanged.

    Raises:
        ValueError: if p is not above 0 and at most 1, or a row has no weights: no token, only minus
            infinities, or a NaN.

    Source: Holtzman et al. 2019 (arXiv:1904.09751), sec. 3.1, "nucleus sampling".

    >>> top_p_logits(torch.tensor([0.5, 0.2, 0.3]).log(), p=0.6).exp()
    tensor([0.5000, 0.0000, 0.3000])
    """
    require_number(p=p)
    if not 0 < p <= 1:
        raise ValueError(
            f"top-p keeps a share of the weight, 0 < p <= 1; p is {p}; shape {tuple(logits.shape)}"
        )
    require_choice(logits)
    if p == 1:
        return logits.clone()  # a sum of rounded weights may reach 1 before the last token
    weights, order = softmax(logits.double()).sort(dim=-1, descending=True, stable=True)
    before = weights.cumsum(-1) - weights
    is_cut = torch.zeros_like(order, dtype=torch.bool).scatter(-1, order, before >= p)
    return logits.masked_fill(is_cut, -torch.inf)


def require_choice(logits: Float[Tensor, "*batch V"]) -> None:
    """Refuse rows of logits from which no token can be chosen.

    Args:
        logits: one row per sequence.

    Returns:
        Nothing, if every row has a finite logit, and no NaN.

    Raises:
        ValueError: if one has not.
    """
    _require_rows(logits)
    if logits.is_meta:
        raise ValueError(
            "a token is chosen by the values of the logits, and a meta tensor has none; "
            f"logits lie on {logits.device}; shape {tuple(logits.shape)}"
        )
    vocab_size = logits.shape[-1]
    largest = logits.amax(-1) if vocab_size else logits.new_full(logits.shape[:-1], -torch.inf)
    wrong = ~largest.isfinite()
    if wrong.any():
        raise ValueError(
            "a token is chosen among finite logits (or minus infinity, for never); "
            f"{int(wrong.sum())} of {wrong.numel()} rows have none, a NaN or an infinity; "
            f"V is {vocab_size}, shape {tuple(logits.shape)}"
        )


def _require_rows(logits: Tensor) -> None:
    require_axes("logits", logits, "*batch V")
    require_floats(logits=logits)
