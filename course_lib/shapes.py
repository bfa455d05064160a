"""Which shapes fit together, and what is said when they do not."""

from jaxtyping import Float, Int, Shaped
from torch import Tensor

from course_lib.kinds import (
    require_floats,
    require_integers,
    require_same_dtype,
    require_tensors,
)
from course_lib.sizes import require_whole

__all__ = [
    "require_axes",
    "require_bias",
    "require_entries",
    "require_projection",
    "require_same_positions",
    "require_sequences",
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
    is_open = axes.startswith("*")
    needed = len(axes.split()) - is_open
    fits = tensor.ndim >= needed if is_open else tensor.ndim == needed
    if not fits:
        raise ValueError(
            f"{name} has the axes {axes}, {'at least ' if is_open else ''}{needed} in number; "
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
    if vectors.shape[-1] != weight.shape[0]:
        raise ValueError(
            f"a row of {name} has as many entries as {weight_name} has rows (x @ w); "
            f"{name} has {vectors.shape[-1]} and {weight_name} {weight.shape[0]}; "
            f"shapes {tuple(vectors.shape)} and {tuple(weight.shape)}"
        )
    require_same_dtype(**{name: vectors, weight_name: weight})


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


def require_sequences(ids: Int[Tensor, "*shape"]) -> None:
    """Refuse what is no batch of sequences of tokens.

    Args:
        ids: token ids, one sequence a row.

    Returns:
        Nothing, if ids are integers B T, and a sequence has a token.

    Raises:
        ValueError: if not.
    """
    require_integers(ids=ids)
    require_axes("ids", ids, "B T")
    if ids.shape[1] == 0:
        raise ValueError(
            f"a sequence has at least one token; ids has T={ids.shape[1]} of them in each of "
            f"B={ids.shape[0]} sequences; shape {tuple(ids.shape)}"
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
