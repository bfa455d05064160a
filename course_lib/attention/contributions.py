"""What one head alone adds to a layer's output: the output is the sum of its heads."""

from jaxtyping import Float
from torch import Tensor

from course_lib.attention.heads import multi_head_attention, split_heads
from course_lib.shapes import require_bias
from course_lib.sizes import require_whole

__all__ = ["head_contribution"]


def head_contribution(
    x: Float[Tensor, "*batch T C"],
    w_q: Float[Tensor, "C _"],
    w_k: Float[Tensor, "C _"],
    w_v: Float[Tensor, "C _"],
    w_o: Float[Tensor, "_ C"],
    b_o: Float[Tensor, " C"],
    num_heads: int,
    head: int,
) -> Float[Tensor, "*batch T C"]:
    r"""Compute what one head adds to the output of multi-head attention, every pair allowed.

    .. math:: \mathrm{concat}(O_0, \ldots, O_{H-1})\, W_O + b_O = \sum_h O_h W_O^{(h)} + b_O

    Args:
        x: one row per position.
        w_q: projection into the queries of all heads; head h owns columns h D to (h + 1) D.
        w_k: projection into their keys, laid out alike.
        w_v: projection into their values: H Dv columns.
        w_o: projection back to the width C; head h owns rows h Dv to (h + 1) Dv.
        b_o: the layer's bias on its output. It belongs to no head, and is left out here: added
            once to the sum over all heads, it completes the layer's output.
        num_heads: H of them.
        head: which one, from 0 to H - 1.

    Returns:
        The term :math:`O_h W_O^{(h)}` of the sum.

    Raises:
        ValueError: if there is no such head, num_heads does not divide a projection's columns, or
            sizes do not fit.

    Source: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits", section
    "Attention Heads are Independent and Additive"; Vaswani et al. 2017 (arXiv:1706.03762),
    sec. 3.2.2, multiplied out.
    """
    require_whole(head=head)
    require_bias("w_o", w_o, b_o)
    own_q, own_k, own_v = (split_heads(w, num_heads) for w in (w_q, w_k, w_v))
    own_o = split_heads(w_o.mT, num_heads)
    if not 0 <= head < num_heads:
        raise ValueError(
            "heads are counted from 0, so the last one is num_heads - 1; "
            f"head is {head} and num_heads {num_heads}"
        )
    return multi_head_attention(x, own_q[head], own_k[head], own_v[head], own_o[head].mT, 1)
