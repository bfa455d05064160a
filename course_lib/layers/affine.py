"""A matrix and its bias, where a model has biases."""

from jaxtyping import Float
from torch import Tensor

from course_lib.shapes import require_bias, require_projection

__all__ = ["affine"]


def affine(
    x: Float[Tensor, "*batch _"],
    weight: Float[Tensor, "_ _"],
    bias: Float[Tensor, " _"] | None = None,
    *,
    names: tuple[str, str] = ("x", "the weight"),
) -> Float[Tensor, "*batch _"]:
    r"""Multiply each vector with a matrix, and add a bias if there is one.

    .. math:: y = x W \; [\, + \, b \,]

    Args:
        x: one vector per position.
        weight: W, one row for each entry of x.
        bias: b, one number per column; None means that the model has none.
        names: what the vectors and the matrix are called in a message.

    Returns:
        One vector per position, as wide as the matrix. NaN or an infinity in a vector of x leaves
        nothing finite in its result, and no other sees it.

    Raises:
        ValueError: if the matrix has not one row for each entry of x, or the bias not one number
            for each column.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), sec. 3.2.2, without biases; GPT-2 and BERT have
    them.
    """
    require_projection(names[0], x, names[1], weight)
    if bias is None:
        return x @ weight
    require_bias(names[1], weight, bias)
    return x @ weight + bias
