"""Who may read whom: Bool masks ``may_attend``, True where query t may read key s."""

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from course_lib.kinds import require_floats, require_integers, require_same_device, require_tensors
from course_lib.shapes import require_axes
from course_lib.sizes import require_whole

__all__ = [
    "causal_mask",
    "combine",
    "distances",
    "padding_mask",
    "require_mask",
    "window_mask",
]


def distances(
    num_queries: int, num_keys: int, *, device: torch.device | str | None = None
) -> Int[Tensor, "T S"]:
    r"""Count how many positions each key lies behind each query.

    The last query sits at the last key (bottom-right alignment):

    .. math:: d_{ts} = (S - T + t) - s

    Args:
        num_queries: T, the queries; the last T positions of the sequence.
        num_keys: S, all positions.
        device: where the distances live; None is PyTorch's default.

    Returns:
        0 for a query's own position, below 0 where the key lies ahead.

    Raises:
        ValueError: if a size is negative.

    >>> distances(2, 3)
    tensor([[ 1,  0, -1],
            [ 2,  1,  0]])
    """
    require_whole(num_queries=num_queries, num_keys=num_keys)
    for name, size in (("num_queries", num_queries), ("num_keys", num_keys)):
        if size < 0:
            raise ValueError(
                f"a size counts positions, so {name} >= 0; {name} is {size}, "
                f"with num_queries = {num_queries} and num_keys = {num_keys}"
            )
    queries = torch.arange(num_queries, device=device) + (num_keys - num_queries)
    return queries[:, None] - torch.arange(num_keys, device=device)


def causal_mask(
    num_queries: int, num_keys: int | None = None, *, device: torch.device | str | None = None
) -> Bool[Tensor, "T S"]:
    r"""No query reads a later position.

    The last query sits at the last key (bottom-right alignment), so query t has position S - T + t:

    .. math:: M_{ts} = [\, s \le S - T + t \,]

    Args:
        num_queries: T, the queries; the last T positions of the sequence.
        num_keys: S, all positions; None means T.
        device: where the mask lives; None is PyTorch's default.

    Returns:
        True where query t may read key s. With T > S the first T - S queries read nothing.

    Raises:
        ValueError: if a size is negative.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), sec. 3.2.3. PyTorch's ``is_causal`` aligns at
    the top left instead, which differs where T and S differ.

    >>> causal_mask(2, 3).int()
    tensor([[1, 1, 0],
            [1, 1, 1]], dtype=torch.int32)
    """
    keys = num_queries if num_keys is None else num_keys
    return distances(num_queries, keys, device=device) >= 0


def padding_mask(lengths: Int[Tensor, " B"], num_keys: int) -> Bool[Tensor, "B 1 S"]:
    r"""No query reads the padding behind a shorter sequence.

    .. math:: M_{bts} = [\, s \le S_b \,] \quad \text{for every } t

    Args:
        lengths: S_b, the tokens of each sequence of the batch, from 0 to S.
        num_keys: S, the length to which the sequences are padded.

    Returns:
        True where a key is a token. The axis of queries has size 1: the mask broadcasts to
        B T S. Scores with heads, B H T S, need ``padding_mask(lengths, S)[:, None]``, B 1 1 S: a
        mask has two axes or all, and one of three is refused there, for B could be taken for H.

    Raises:
        ValueError: if lengths are not integers, or one is negative or above num_keys.

    >>> padding_mask(torch.tensor([1, 3]), 3).int()
    tensor([[[1, 0, 0]],
    <BLANKLINE>
            [[1, 1, 1]]], dtype=torch.int32)
    """
    require_whole(num_keys=num_keys)
    require_integers(lengths=lengths)
    require_axes("lengths", lengths, "B")
    if num_keys < 0:
        raise ValueError(f"a size counts positions, so num_keys >= 0; num_keys is {num_keys}")
    wrong = (lengths < 0) | (lengths > num_keys)
    if wrong.any():
        raise ValueError(
            f"a length counts tokens among num_keys = {num_keys} positions; "
            f"lengths has {lengths[wrong][0].item()}; its shape is {tuple(lengths.shape)}"
        )
    keys = torch.arange(num_keys, device=lengths.device)
    return keys < lengths[:, None, None]


def window_mask(
    num_queries: int, num_keys: int, window: int, *, device: torch.device | str | None = None
) -> Bool[Tensor, "T S"]:
    r"""A query reads the last W positions, its own included.

    .. math:: M_{ts} = [\, 0 \le (S - T + t) - s < W \,]

    Args:
        num_queries: T, the queries; the last T positions of the sequence.
        num_keys: S, all positions.
        window: W, the keys within reach, the query's own included; at least 1.
        device: where the mask lives; None is PyTorch's default.

    Returns:
        True where query t may read key s. The window is causal; W >= S is ``causal_mask``.

    Raises:
        ValueError: if a size is negative or the window below 1.

    Source: Beltagy et al. 2020 (arXiv:2004.05150), sec. 3.1, made causal. W counts as in Mistral
    7B (arXiv:2310.06825) and gpt-oss; FlashAttention's ``window_size=(W, 0)`` reads W + 1 keys.

    >>> window_mask(3, 3, 2).int()
    tensor([[1, 0, 0],
            [1, 1, 0],
            [0, 1, 1]], dtype=torch.int32)
    """
    require_whole(window=window)
    if window < 1:
        raise ValueError(
            "a window holds at least the query's own position, so window >= 1; "
            f"window is {window}, for num_queries = {num_queries} and num_keys = {num_keys}"
        )
    distance = distances(num_queries, num_keys, device=device)
    return (distance >= 0) & (distance < window)


def combine(*masks: Bool[Tensor, "..."]) -> Bool[Tensor, "..."]:
    r"""Allow what every mask allows.

    .. math:: M_{ts} = M^{(1)}_{ts} \land M^{(2)}_{ts} \land \cdots

    Args:
        *masks: masks whose shapes broadcast; at least one.

    Returns:
        True where all are True, in the broadcast shape.

    Raises:
        ValueError: if there is no mask, or their shapes do not broadcast.
        TypeError: if one is not of torch.bool.

    >>> combine(causal_mask(3), padding_mask(torch.tensor([2, 3]), 3)).shape
    torch.Size([2, 3, 3])
    """
    if not masks:
        raise ValueError("combine needs at least one mask; 0 came; call combine(first, ...)")
    named = {f"mask {number}": mask for number, mask in enumerate(masks)}
    for name, mask in named.items():
        _require_bool(name, mask)
    require_same_device(**named)
    result = masks[0]
    try:
        for mask in masks:
            result = result & mask
    except RuntimeError as error:
        shapes = ", ".join(str(tuple(mask.shape)) for mask in masks)
        raise ValueError(
            "masks are combined entry by entry, so their sizes must agree or be 1; "
            f"{len(masks)} masks came; shapes {shapes}"
        ) from error
    return result


def require_mask(may_attend: Shaped[Tensor, "*mask"], scores: Float[Tensor, "*shape"]) -> None:
    """Refuse a mask that is not True and False, or does not say which scores it is for.

    A mask has two axes, or all axes of the scores; each has the scores' size or 1. A mask B 1 S
    over scores B H T S is not guessed at: broadcasting would take its examples for heads.

    Args:
        may_attend: True where query t may read key s.
        scores: row t belongs to query t, column s to key s.

    Returns:
        Nothing, if the mask fits the scores.

    Raises:
        ValueError: if it does not.
        TypeError: if it holds numbers: libraries differ in whether 1 or 0 means "may read".
    """
    require_axes("scores", scores, "*batch T S")
    require_floats(scores=scores)
    _require_bool("may_attend", may_attend)
    require_same_device(scores=scores, may_attend=may_attend)
    if may_attend.ndim not in (2, scores.ndim):
        raise ValueError(
            "a mask has two axes, T S, or all axes of the scores (of size 1 where it is one for "
            f"all: a mask B 1 S is B 1 1 S for heads, may_attend[:, None]); may_attend has "
            f"{may_attend.ndim} axes and the scores {scores.ndim}; "
            f"shapes {tuple(may_attend.shape)} and {tuple(scores.shape)}"
        )
    try:
        may_attend.expand_as(scores)
    except RuntimeError as error:
        raise ValueError(
            "may_attend broadcasts to the scores, T queries by S keys; "
            f"the scores have T={scores.shape[-2]}, S={scores.shape[-1]}; "
            f"shapes {tuple(may_attend.shape)} and {tuple(scores.shape)}"
        ) from error


def _require_bool(name: str, mask: Tensor) -> None:
    require_tensors(**{name: mask})
    if mask.dtype != torch.bool:
        raise TypeError(
            f"{name} holds True where a query may read a key, and False elsewhere, so its type "
            f"is torch.bool; it is {mask.dtype}; shape {tuple(mask.shape)}"
        )
