"""Which queries, keys and values fit together, and what is said when they do not."""

from jaxtyping import Float
from torch import Tensor

from course_lib.kinds import require_same_dtype
from course_lib.shapes import require_axes

__all__ = [
    "require_groups",
    "require_key_values",
    "require_same_batch",
    "require_same_size",
]


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
    require_axes(name, by_head, "B H T _")
    require_axes(shared_name, shared, "B G S _")
    require_same_dtype(**{name: by_head, shared_name: shared})
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
