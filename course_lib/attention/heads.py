"""Several heads read the same sequence side by side, each in its own part of the width."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.attention.dot_product import project_qkv, scaled_dot_product_attention
from course_lib.shapes import require_axes, require_projection
from course_lib.sizes import require_positive, require_whole

__all__ = [
    "cross_attention",
    "merge_heads",
    "mha_flops",
    "mha_param_count",
    "multi_head_attention",
    "split_heads",
]


def split_heads(x: Float[Tensor, "*batch T _"], num_heads: int) -> Float[Tensor, "*batch H T D"]:
    r"""Give each head its own part of every vector, and move the heads before the positions.

    .. math:: Y_{htd} = X_{t,\, hD + d}

    Args:
        x: one row per position: H parts of D entries, side by side.
        num_heads: H, how many parts.

    Returns:
        The heads, a view of x. A reshape straight to H, T, D would have the same shape and mix the
        positions: the axis of T must be moved, not cut. NaN and infinity move with their entries.

    Raises:
        ValueError: if the width is not a multiple of num_heads.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), sec. 3.2.2.

    >>> split_heads(torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8]]).float(), num_heads=2)
    tensor([[[1., 2.],
             [5., 6.]],
    <BLANKLINE>
            [[3., 4.],
             [7., 8.]]])
    """
    require_axes("x", x, "*batch T _")
    require_whole(num_heads=num_heads)
    width = x.shape[-1]
    if num_heads < 1 or width % num_heads:
        raise ValueError(
            "every head gets the same number of entries, so num_heads divides the width; "
            f"the width is {width} and num_heads {num_heads}; shape {tuple(x.shape)}"
        )
    # ... T H D -> ... H T D
    return torch.unflatten(x, -1, (num_heads, width // num_heads)).transpose(-3, -2)


def merge_heads(x: Float[Tensor, "*batch H T D"]) -> Float[Tensor, "*batch T _"]:
    r"""Put what the heads have for a position side by side: the inverse of ``split_heads``.

    .. math:: X_{t,\, hD + d} = Y_{htd}

    Args:
        x: one matrix per head, one row per position.

    Returns:
        One row of H D entries per position. NaN and infinity move with their entries.

    Raises:
        ValueError: if x has no axis of heads.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), sec. 3.2.2, "Concat".
    """
    require_axes("x", x, "*batch H T D")
    return x.transpose(-3, -2).flatten(-2)


def multi_head_attention(
    x: Float[Tensor, "*batch T C"],
    w_q: Float[Tensor, "C _"],
    w_k: Float[Tensor, "C _"],
    w_v: Float[Tensor, "C _"],
    w_o: Float[Tensor, "_ C"],
    num_heads: int,
    may_attend: Bool[Tensor, "*#mask #T #T"] | None = None,
) -> Float[Tensor, "*batch T C"]:
    r"""Let H heads read the sequence side by side, and project what they found together.

    .. math:: O = \mathrm{concat}(O_0, \ldots, O_{H-1})\, W_O, \qquad
        O_h = \mathrm{softmax}(Q_h K_h^\top / \sqrt{D})\, V_h

    Args:
        x: one row per position; every position asks, and every position can be read.
        w_q: projection into the queries of all heads; head h owns columns h D to (h + 1) D.
        w_k: projection into their keys, laid out alike.
        w_v: projection into their values: H Dv columns.
        w_o: projection of the heads' outputs, side by side, back to the width C.
        num_heads: H of them.
        may_attend: True where position t may read position s, for all heads alike; None allows
            every pair. It has two axes, T and T, or one per axis of x: a mask of each example is
            B T T. A query with no key to read gets zeros, never NaN.

    Returns:
        One vector per position, as wide as x.

    Raises:
        ValueError: if num_heads does not divide a projection's columns, if sizes do not fit, or
            if may_attend does not fit the sequences.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), sec. 3.2.2; without biases, as there.
    Cost: ``mha_flops(B, T, T, C, H, D)``; B H T T weights are held in memory.
    """
    return _attend(x, None, (w_q, w_k, w_v, w_o), num_heads, may_attend)


def cross_attention(
    x: Float[Tensor, "*batch T C"],
    context: Float[Tensor, "*batch S C"],
    w_q: Float[Tensor, "C _"],
    w_k: Float[Tensor, "C _"],
    w_v: Float[Tensor, "C _"],
    w_o: Float[Tensor, "_ C"],
    num_heads: int,
    may_attend: Bool[Tensor, "*#mask #T #S"] | None = None,
) -> Float[Tensor, "*batch T C"]:
    r"""Let H heads read another sequence: queries from x, keys and values from the context.

    .. math:: O_h = \mathrm{softmax}(Q_h K_h^\top / \sqrt{D})\, V_h, \qquad
        Q = X W_Q, \quad K = X' W_K, \quad V = X' W_V

    Args:
        x: the vectors that ask, one row per position.
        context: X', the vectors that are read.
        w_q: projection of x into the queries of all heads.
        w_k: projection of the context into their keys.
        w_v: projection of the context into their values.
        w_o: projection of the heads' outputs, side by side, back to the width C.
        num_heads: H of them.
        may_attend: True where position t of x may read position s of the context, for all heads
            alike; None allows every pair. It has two axes, T and S, or one per axis of x: the
            padding of the context is B 1 S. A query with no key to read gets zeros, never NaN.

    Returns:
        One vector per position of x, as wide as x.

    Raises:
        ValueError: if num_heads does not divide a projection's columns, if sizes do not fit, or
            if may_attend does not fit the sequences.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), sec. 3.2.3, "encoder-decoder attention".
    Cost: ``mha_flops(B, T, S, C, H, D)``; B H T S weights are held in memory.
    """
    return _attend(x, context, (w_q, w_k, w_v, w_o), num_heads, may_attend)


def _attend(
    x: Tensor,
    context: Tensor | None,
    matrices: tuple[Tensor, Tensor, Tensor, Tensor],
    num_heads: int,
    may_attend: Tensor | None,
) -> Tensor:
    """Project, split, attend in every head, merge, project back."""
    w_q, w_k, w_v, w_o = matrices
    projected = project_qkv(x, w_q, w_k, w_v, context)
    query, key, value = (split_heads(vectors, num_heads) for vectors in projected)
    output, _ = scaled_dot_product_attention(query, key, value, _of_all_heads(may_attend, x))
    merged = merge_heads(output)
    require_projection("the merged heads", merged, "w_o", w_o)
    if w_o.shape[1] != x.shape[-1]:
        raise ValueError(
            "what the heads found is added to x, so w_o has a column for each of its C entries; "
            f"x has C={x.shape[-1]} and w_o {w_o.shape[1]} columns; "
            f"shapes {tuple(x.shape)} and {tuple(w_o.shape)}"
        )
    return merged @ w_o


def _of_all_heads(may_attend: Tensor | None, x: Tensor) -> Tensor | None:
    if may_attend is None or may_attend.ndim == 2:
        return may_attend
    if may_attend.ndim != x.ndim:
        raise ValueError(
            "one mask serves all heads, so it has two axes, or one for each axis of x; "
            f"may_attend has {may_attend.ndim} axes and x {x.ndim}; "
            f"shapes {tuple(may_attend.shape)} and {tuple(x.shape)}"
        )
    return may_attend.unsqueeze(-3)  # ... T S -> ... 1 T S


def mha_param_count(C: int, H: int, D: int, bias: bool) -> int:
    r"""Count the parameters of multi-head attention with values of size D.

    .. math:: 4\, C H D \; [\, + \, 3 H D + C \,]

    The number of heads enters only through H D: at H D = C the count is 4 C², whatever H.

    Args:
        C: width of a token's vector.
        H: heads.
        D: size of a head's query, key and value; H D need not be C.
        bias: True where the four projections have biases, which adds what stands in brackets.

    Returns:
        The number of parameters.

    Raises:
        ValueError: if a size is below 1.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), sec. 3.2.2.

    >>> mha_param_count(C=12288, H=96, D=128, bias=False)  # one layer of GPT-3
    603979776
    """
    require_positive(C=C, H=H, D=D)
    return 4 * C * H * D + (3 * H * D + C if bias else 0)


def mha_flops(B: int, T: int, S: int, C: int, H: int, D: int) -> int:
    r"""Count the operations of multi-head attention: T positions read S.

    .. math:: \underbrace{4\, B (T + S)\, C H D}_{\text{four projections}} +
        \underbrace{4\, B H T S D}_{Q K^\top \text{ and } P V}

    Args:
        B: examples in the batch.
        T: positions that ask.
        S: positions that are read; T in self-attention.
        C: width of a token's vector.
        H: heads.
        D: size of a head's query, key and value.

    Returns:
        FLOPs: a multiplication and an addition count as two. The softmax, biases and a mask, which
        are O(B H T S + B T C), are left out. A causal mask saves nothing here: every score is
        computed.

    Raises:
        ValueError: if a size is below 1.

    Source: Kaplan et al. 2020 (arXiv:2001.08361), table 1, who count 2 T C per token for the
    scores and leave out the mixing of the values.
    """
    require_positive(B=B, T=T, S=S, C=C, H=H, D=D)
    return 4 * B * (T + S) * C * H * D + 4 * B * H * T * S * D
