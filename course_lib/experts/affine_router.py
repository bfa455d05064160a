"""A router that is a linear layer with a bias, which counts in the choice and in the weights."""

from jaxtyping import Float, Int
from torch import Tensor

from course_lib.experts.router import choose
from course_lib.layers.affine import affine
from course_lib.precision import at_least_float32
from course_lib.softmax import softmax

__all__ = ["affine_topk_router"]


def affine_topk_router(
    x: Float[Tensor, "*batch C"], w_gate: Float[Tensor, "C E"], b_gate: Float[Tensor, " E"], A: int
) -> tuple[Int[Tensor, "*batch A"], Float[Tensor, "*batch A"]]:
    r"""Choose the A largest logits, each with a bias of its own, and share out among them.

    .. math:: z = x W_{gate} + b_{gate}, \qquad i_1 \dots i_A = \operatorname{top}_A z, \qquad
        w_a = \frac{e^{z_{i_a}}}{\sum_c e^{z_{i_c}}}

    ``topk_router``'s bias balances loads and is in no weight; this one is learnt with the rest.

    Args:
        x: one vector per token.
        w_gate: one column per expert.
        b_gate: one number per expert.
        A: experts that a token uses.

    Returns:
        The chosen experts, and their weights, which sum to one, in the dtype of x; both are
        computed in at least float32. NaN in a token makes its own weights NaN.

    Raises:
        ValueError: if w_gate has not one row per entry of x, b_gate not one number per expert, or
            A is above E.

    Source: gpt-oss (arXiv:2508.10925), sec. 2.2 and ``torch/model.py``.
    Cost: 2 C E FLOPs a token.
    """
    wide = (at_least_float32(part) for part in (x, w_gate, b_gate))
    logits = affine(*wide, names=("x", "w_gate"))
    experts = choose(logits, A)
    return experts, softmax(logits.gather(-1, experts)).to(x.dtype)
