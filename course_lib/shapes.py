"""Which shapes fit together, and what is said when they do not."""

from jaxtyping import Float, Shaped
from torch import Tensor

from course_lib.kinds import require_floats, require_same_dtype, require_tensors, require_whole

__all__ = [
    "require_axes",
    "require_bias",
    "require_entries",
    "require_groups",
    "require_key_values",
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
    require_tensors(**{name: tensor})
    needed = sum(not axis.startswith("*") for axis in axes.split())
    fits = tensor.ndim >= needed if axes.startswith("*") else tensor.ndim == needed
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
    require_same_dtype(**{weight_name: weight, f"the bias of {weight_name}": bias})
    if bias.shape != weight.shape[1:]:
        raise ValueError(
            "a bias has one number per column of its matrix; "
            f"{weight_name} has {weight.shape[1]} columns and its bias {bias.numel()} numbers; "
            f"shapes {tuple(weight.shape)} and {tuple(bias.shape)}"
        )


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
    require_same_dtype(**{name: by_head, shared_name: shared})
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
    if groups < 1 or heads < 1 or heads % groups:
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
    require_axes(name, vectors, "*batch _")
    require_axes(weight_name, weight, "rows columns")
    require_same_dtype(**{name: vectors, weight_name: weight})
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
    require_same_dtype(**{"query": query, name: other})
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
    require_same_dtype(**{name: vectors, other_name: other})
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


def require_key_values(key: Float[Tensor, "*shape"], value: Float[Tensor, "*other"]) -> None:
    """Refuse keys and values that do not come in pairs, or of which there are none.

    Args:
        key: the keys.
        value: the values.

    Returns:
        Nothing, if there is a key, and one value for each.

    Raises:
        ValueError: if not.
    """
    require_axes("key", key, "*batch S D")
    require_axes("value", value, "*batch S Dv")
    if key.shape[-2] != value.shape[-2]:
        raise ValueError(
            "every key has one value, so both have the same number of positions S; "
            f"the keys have S={key.shape[-2]} and the values S={value.shape[-2]}; "
            f"shapes {tuple(key.shape)} and {tuple(value.shape)}"
        )
    if key.shape[-2] == 0:
        raise ValueError(
            "a query weighs at least one key and its value; "
            f"there are S={key.shape[-2]}; shapes {tuple(key.shape)} and {tuple(value.shape)}"
        )


def require_entries(x: Float[Tensor, "*shape"], axis: int, name: str = "scores") -> None:
    """Refuse a tensor with nothing along an axis, or without that axis.

    Args:
        x: what a softmax, or a sum of weights, is to be taken of.
        axis: along which axis.
        name: what x is called in the message.

    Returns:
        Nothing, if there is an entry.

    Raises:
        ValueError: if there is none, or x does not hold floating-point numbers.
    """
    require_floats(**{name: x})
    require_whole(axis=axis)
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
