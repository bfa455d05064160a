"""Ids become vectors by a table; the same table turns vectors back into scores over the ids."""

from jaxtyping import Float, Int
from torch import Tensor

from course_lib.kinds import (
    require_floats,
    require_integers,
    require_same_device,
    require_same_dtype,
)
from course_lib.shapes import require_axes

__all__ = ["embed", "require_drawn", "unembed"]


def embed(ids: Int[Tensor, "*batch T"], table: Float[Tensor, "V C"]) -> Float[Tensor, "*batch T C"]:
    r"""Look up the vector of each token: row i of the table for id i.

    It is the product of one-hot rows with the table, without the zeros:

    .. math:: X_t = \mathrm{onehot}(i_t) \, E = E_{i_t}

    Args:
        ids: token ids, from 0 to V - 1.
        table: E, one row per token of the vocabulary.

    Returns:
        One vector per token. Vaswani et al. multiply it by √C, others do not: it is left out here.
        NaN and infinity stay as they stand in the table.

    Raises:
        ValueError: if an id is no integer, negative or not below V.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), sec. 3.4.
    Cost: 0 FLOPs; the table holds V C parameters.

    >>> embed(torch.tensor([2, 0]), torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    tensor([[5., 6.],
            [1., 2.]])
    """
    require_integers(ids=ids)
    require_floats(table=table)
    require_same_device(ids=ids, table=table)
    require_axes("table", table, "V C")
    V = table.shape[0]
    if ids.numel() and (ids.min() < 0 or ids.max() >= V):
        raise ValueError(
            f"an id is from 0 to V - 1; V is {V} and ids go from {ids.min()} to {ids.max()}; "
            f"shapes {tuple(ids.shape)} and {tuple(table.shape)}"
        )
    return table[ids.long()]


def unembed(
    hidden: Float[Tensor, "*batch T C"], table: Float[Tensor, "V C"]
) -> Float[Tensor, "*batch T V"]:
    r"""Compare each vector with every token's row: one logit per token of the vocabulary.

    .. math:: \mathrm{logits}_t = X_t \, E^\top

    Args:
        hidden: what the last layer hands over, one vector per position.
        table: one row per token. Tied, it is the table of ``embed``; untied, one of its own.

    Returns:
        The logits. NaN or an infinity in a vector leaves none of its logits finite, and no other
        sees it.

    Raises:
        ValueError: if hidden and table differ in C.

    Source: Press and Wolf 2017 (arXiv:1608.05859), sec. 3; Vaswani et al. 2017
    (arXiv:1706.03762), sec. 3.4.
    Cost: 2 T C V FLOPs for each sequence.

    >>> table = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> unembed(torch.tensor([[2.0, 3.0]]), table)
    tensor([[2., 3., 5.]])
    """
    require_axes("hidden", hidden, "*batch T C")
    require_axes("table", table, "V C")
    require_same_dtype(hidden=hidden, table=table)
    if hidden.shape[-1] != table.shape[-1]:
        raise ValueError(
            f"hidden and table have the same width C; hidden has {hidden.shape[-1]} and table "
            f"{table.shape[-1]}; shapes {tuple(hidden.shape)} and {tuple(table.shape)}"
        )
    return hidden @ table.T


def require_drawn(
    vectors: Float[Tensor, "*shape"], name: str, weight: Float[Tensor, "*weight"]
) -> None:
    """Refuse a model whose weights nobody has drawn or loaded.

    Matrices are zeros when a model is made: it would call every token equally likely, and never
    learn.

    Args:
        vectors: what the weight made of the input. If one of their entries is not zero, the weight
            is not looked at.
        name: what the weight is called in the message.
        weight: the first matrix that an input meets.

    Returns:
        Nothing, if a number of the weight is not zero.

    Raises:
        ValueError: if all are zero.

    Cost: one look at the vectors, B T C numbers.
    """
    if not (vectors.any() or weight.any()):
        raise ValueError(
            "the matrices of a model are zeros until they are drawn (initialise) or loaded "
            f"(load_state_dict); {name} has {weight.numel()} numbers and {weight.numel()} are 0; "
            f"shape {tuple(weight.shape)}"
        )
