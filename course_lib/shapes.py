"""Which shapes fit together, and what is said when they do not."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

__all__ = [
    "require_axes",
    "require_bias",
    "require_entries",
    "require_groups",
    "require_mask",
    "require_projection",
    "require_same_batch",
    "require_same_positions",
    "require_same_size",
]


def require_axes(name: str, tensor: Shaped[Tensor, "*shape"], axes: str) -> None:
    """Refuse a tensor that has not the axes which a formula needs.

    Args:
        name: what the tensor is called in the message.
        tensor: what came.
        axes: their letters, for example ``"B H T D"``; a first ``"*batch"`` stands for any number.

    Returns:
        Nothing, if there are as many.

    Raises:
        ValueError: if there are not.
    """
    needed = len(axes.replace("*batch", "").split())
    fits = tensor.ndim >= needed if axes.startswith("*batch") else tensor.ndim == needed
    if not fits:
        raise ValueError(
            f"{name} has the axes {axes}, {'at least ' if '*' in axes else ''}{needed} in number; "
            f"{name} has {tensor.ndim}; shape {tuple(tensor.shape)}"
        )


def require_bias(
    weight_name: str, weight: Float[Tensor, "*weight"], bias: Float[Tensor, "*bias"]
) -> None:
    """Refuse a bias that has not one number for each column of its matrix.

    Args:
        weight_name: what the matrix is called in the message.
        weight: w in x @ w + b.
        bias: b in x @ w + b.

    Returns:
        Nothing, if they fit.

    Raises:
        ValueError: if they do not: a bias of one number would be added to every column.
    """
    if bias.shape != weight.shape[1:]:
        raise ValueError(
            "a bias has one number per column of its matrix; "
            f"{weight_name} has {weight.shape[1]} columns and its bias {bias.numel()} numbers; "
            f"shapes {tuple(weight.shape)} and {tuple(bias.shape)}"
        )


def require_mask(may_attend: Shaped[Tensor, "*mask"], scores: Float[Tensor, "*shape"]) -> None:
    """Refuse a mask that is not True and False, or has no entry for some score.

    Args:
        may_attend: True where query t may read key s.
        scores: row t belongs to query t, column s to key s.

    Returns:
        Nothing, if the mask broadcasts to the scores.

    Raises:
        ValueError: if the mask does not broadcast to the scores.
        TypeError: if it holds numbers: libraries differ in whether 1 or 0 means "may read".
    """
    if may_attend.dtype != torch.bool:
        raise TypeError(
            "may_attend holds True where a query may read a key, and False elsewhere, so its type "
            f"is torch.bool; it is {may_attend.dtype}; shape {tuple(may_attend.shape)}"
        )
    try:
        may_attend.expand_as(scores)
    except RuntimeError as error:
        raise ValueError(
            "may_attend broadcasts to the scores, T queries by S keys; "
            f"the scores have T={scores.shape[-2]}, S={scores.shape[-1]}; "
            f"shapes {tuple(may_attend.shape)} and {tuple(scores.shape)}"
        ) from error


def require_groups(
    name: str, by_head: Float[Tensor, "*shape"], shared_name: str, shared: Float[Tensor, "*shared"]
) -> None:
    """Refuse heads that cannot share key/value heads evenly.

    Args:
        name: what has an axis of H heads, in the message.
        by_head: batch and heads are the first two of its four axes.
        shared_name: what has an axis of G key/value heads, in the message.
        shared: batch and key/value heads are the first two of its four axes.

    Returns:
        Nothing, if both have four axes, the batches agree and G divides H.

    Raises:
        ValueError: if not.
    """
    for which, tensor in ((name, by_head), (shared_name, shared)):
        if tensor.ndim != 4:
            raise ValueError(
                "heads that share keys have four axes: batch, heads, positions, and a last one; "
                f"{which} has {tensor.ndim}; "
                f"shapes {tuple(by_head.shape)} and {tuple(shared.shape)}"
            )
    if by_head.shape[0] != shared.shape[0]:
        raise ValueError(
            f"{name} and {shared_name} belong to the same examples; "
            f"{name} has B={by_head.shape[0]} and {shared_name} B={shared.shape[0]}; "
            f"shapes {tuple(by_head.shape)} and {tuple(shared.shape)}"
        )
    heads, groups = by_head.shape[1], shared.shape[1]
    if groups < 1 or heads % groups:
        raise ValueError(
            "every key/value head serves the same number of query heads, so G divides H; "
            f"{name} has H={heads} and {shared_name} G={groups}; "
            f"shapes {tuple(by_head.shape)} and {tuple(shared.shape)}"
        )


def require_projection(
    name: str, vectors: Float[Tensor, "*shape"], weight_name: str, weight: Float[Tensor, "*weight"]
) -> None:
    """Refuse a projection that has not one row for each entry of the vectors.

    Args:
        name: what the vectors are called in the message.
        vectors: x in x @ w.
        weight_name: what the projection is called in the message.
        weight: w in x @ w.

    Returns:
        Nothing, if they fit.

    Raises:
        ValueError: if they do not.
    """
    if vectors.shape[-1] != weight.shape[0]:
        raise ValueError(
            f"a row of {name} has as many entries as {weight_name} has rows (x @ w); "
            f"{name} has {vectors.shape[-1]} and {weight_name} {weight.shape[0]}; "
            f"shapes {tuple(vectors.shape)} and {tuple(weight.shape)}"
        )


def require_same_batch(
    query: Float[Tensor, "*shape"], other: Float[Tensor, "*other"], name: str
) -> None:
    """Refuse tensors that differ in what stands before their last two axes.

    Args:
        query: the queries.
        other: the keys or the values.
        name: what the other tensor is called in the message.

    Returns:
        Nothing, if they agree.

    Raises:
        ValueError: if they do not, or one of them has no axis of positions.
    """
    require_axes("query", query, "*batch T D")
    require_axes(name, other, "*batch S D")
    if query.shape[:-2] != other.shape[:-2]:
        raise ValueError(
            f"query and {name} agree in their leading axes (batch, heads): nothing is broadcast; "
            f"query has {tuple(query.shape[:-2])} and {name} {tuple(other.shape[:-2])}; "
            f"shapes {tuple(query.shape)} and {tuple(other.shape)}"
        )


def require_same_positions(
    name: str, vectors: Float[Tensor, "*shape"], other_name: str, other: Float[Tensor, "*other"]
) -> None:
    """Refuse two vectors per position that do not come in pairs.

    Args:
        name: what the first vectors are called in the message.
        vectors: one vector per position, on the last axis.
        other_name: what the others are called in the message.
        other: one more vector per position; it may have another size.

    Returns:
        Nothing, if all axes but the last agree.

    Raises:
        ValueError: if they do not.
    """
    if vectors.shape[:-1] != other.shape[:-1]:
        raise ValueError(
            f"every position has one vector in {name} and one in {other_name}, so all axes but "
            f"the last agree; {name} has {tuple(vectors.shape[:-1])} and {other_name} "
            f"{tuple(other.shape[:-1])}; shapes {tuple(vectors.shape)} and {tuple(other.shape)}"
        )


def require_same_size(query: Float[Tensor, "*shape"], key: Float[Tensor, "*other"]) -> None:
    """Refuse queries and keys that differ in D.

    Args:
        query: the queries.
        key: the keys.

    Returns:
        Nothing, if they agree.

    Raises:
        ValueError: if they do not.
    """
    if query.shape[-1] != key.shape[-1]:
        raise ValueError(
            "a query and a key have the same size D; "
            f"the queries have D={query.shape[-1]} and the keys D={key.shape[-1]}; "
            f"shapes {tuple(query.shape)} and {tuple(key.shape)}"
        )


def require_entries(x: Float[Tensor, "*shape"], axis: int) -> None:
    """Refuse a tensor with nothing along an axis, or without that axis.

    Args:
        x: what a softmax, or a sum of weights, is to be taken of.
        axis: along which axis.

    Returns:
        Nothing, if there is an entry.

    Raises:
        ValueError: if there is none.
    """
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(
            f"axis must name one of the tensor's {x.ndim} axes; axis is {axis}; "
            f"shape {tuple(x.shape)}"
        )
    if x.shape[axis] == 0:
        raise ValueError(
            "a softmax needs at least one entry along its axis; "
            f"axis {axis} has size 0; shape {tuple(x.shape)}"
        )
