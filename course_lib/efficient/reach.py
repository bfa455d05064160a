"""How much of T x T a mask allows, and how far information travels in L layers of it."""

import torch
from jaxtyping import Bool
from torch import Tensor

from course_lib.kinds import require_tensors
from course_lib.shapes import require_axes
from course_lib.sizes import require_count

__all__ = ["density", "reach"]


def density(may_attend: Bool[Tensor, "T S"]) -> float:
    r"""Return the share of pairs that a mask allows.

    .. math:: \frac{1}{TS} \sum_{ts} M_{ts}

    Args:
        may_attend: True where query t may read key s.

    Returns:
        From 0 to 1; a causal mask of T positions has (T + 1) / 2T.

    Raises:
        ValueError: if there is no pair, or may_attend has not two axes.
        TypeError: if may_attend is not of torch.bool.

    >>> density(torch.tensor([[True, False], [True, True]]))
    0.75
    """
    _require_pairs(may_attend)
    if may_attend.numel() == 0:
        raise ValueError(
            "a share of pairs needs a pair; may_attend has "
            f"T={may_attend.shape[0]} queries and S={may_attend.shape[1]} keys"
        )
    return int(may_attend.sum()) / may_attend.numel()


def reach(may_attend: Bool[Tensor, "T T"], num_layers: int) -> Bool[Tensor, "T T"]:
    r"""Say which inputs can change which outputs after L residual layers of one mask.

    A layer hands each position what it reads, and, by the residual, what it was:

    .. math:: \text{reach}_L = \big[ (M \lor I)^L > 0 \big]

    Args:
        may_attend: True where query t may read key s, the same in each layer.
        num_layers: L; 0 is the input itself.

    Returns:
        True where input s can change output t. A window of W reaches L (W - 1) positions back.

    Raises:
        ValueError: if the mask is not square, or L is below 0.
        TypeError: if may_attend is not of torch.bool.

    Source: Child et al. 2019 (arXiv:1904.10509), sec. 4.2, who ask for a path of p + 1 steps
    between any two positions; the residual is ours to count, as their models have one.
    Cost: 2 T³ FLOPs for each digit of L in binary, twice where the digit is 1.

    >>> chain = torch.tensor([[True, False, False], [True, True, False], [False, True, True]])
    >>> reach(chain, 1)[2].tolist(), reach(chain, 2)[2].tolist()
    ([False, True, True], [True, True, True])
    """
    _require_pairs(may_attend)
    require_count(num_layers=num_layers)
    num_queries, num_keys = may_attend.shape
    if num_queries != num_keys:
        raise ValueError(
            "what one layer writes the next one reads, so a mask of layers has as many queries as "
            f"keys; T is {num_queries} and S is {num_keys}; shape {tuple(may_attend.shape)}"
        )
    # Sums of 0 and 1 over T < 2²⁴ positions are exact in float32.
    result = torch.eye(num_queries, device=may_attend.device)
    power = torch.maximum(may_attend.float(), result)
    while num_layers:
        if num_layers % 2:
            result = ((power @ result) > 0).float()
        power = ((power @ power) > 0).float()
        num_layers //= 2
    return result > 0


def _require_pairs(may_attend: Tensor) -> None:
    require_tensors(may_attend=may_attend)
    require_axes("may_attend", may_attend, "T S")
    if may_attend.dtype != torch.bool:
        raise TypeError(
            "may_attend holds True where a query may read a key, and False elsewhere, so its type "
            f"is torch.bool; it is {may_attend.dtype}; shape {tuple(may_attend.shape)}"
        )
