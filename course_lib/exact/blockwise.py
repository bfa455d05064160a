"""Exact attention whose memory grows with the sequence, and not with its square."""

from typing import Any

from jaxtyping import Float
from torch import Tensor
from torch.autograd import Function

from course_lib.attention.fitting import require_groups
from course_lib.exact.blockwise_backward import blockwise_backward
from course_lib.exact.blockwise_forward import blockwise_forward
from course_lib.exact.once import require_first_derivative
from course_lib.exact.reach import Reach

__all__ = ["blockwise_attention"]


def blockwise_attention(
    query: Float[Tensor, "B H T D"],
    key: Float[Tensor, "B G S D"],
    value: Float[Tensor, "B G S Dv"],
    causal: bool,
    window: int | None = None,
    block: int = 256,
) -> tuple[Float[Tensor, "B H T Dv"], Float[Tensor, "B H T"]]:
    r"""Attend in tiles, forward and back; the T x S scores never exist.

    .. math:: O = \mathrm{softmax}(Q K^\top / \sqrt D)\, V, \qquad
        \mathrm{lse}_t = \log \sum_s e^{q_t \cdot k_s / \sqrt D}

    The sums run over the keys that a query may read. A sink is one more result without a value:
    ``merge_sink`` adds it afterwards.

    Args:
        query: one row per head and position that asks; G divides H.
        key: one row per key/value head and position that can be read.
        value: what each of those positions hands over.
        causal: True where no query reads a later position; the last query sits at the last key.
        window: W, the keys within reach of a causal query, its own included; None for no bound.
        block: queries and keys of a tile; T and S need not be multiples. 128 to 256 are fastest.

    Returns:
        The output, in the dtype of the queries, and the log-sum-exp of each query's scaled scores,
        in at least float32. A query with nothing to read gets zeros and minus infinity. Gradients
        flow through both. NaN in a key or a value that is read makes NaN in the queries of its
        block; one that no query reads has no influence.

    Raises:
        ValueError: if G does not divide H, if sizes or dtypes differ, if there is no key, if the
            block is empty, or if there is a window and causal is False.
        ValueError: on the way back, where a gradient of the gradient is asked for.

    Source: Dao et al. 2022 (arXiv:2205.14135), alg. 1 and 4; Rabe and Staats 2021
    (arXiv:2112.05682).
    Cost: 2 B H T S (D + Dv) FLOPs forward and 2 B H T S (3 D + 2 Dv) back, half of it if causal;
    beyond arguments and results B H block² scores, twice with gradients, and one copy in float32 of
    what came in half precision.
    """
    require_groups("query", query, "key", key)
    reach = Reach(num_queries=query.shape[2], num_keys=key.shape[2], causal=causal, window=window)
    output, lse = _Blockwise.apply(query, key, value, reach, block)  # type: ignore[no-untyped-call]
    return output, lse


class _Blockwise(Function):
    """Keeps what goes in and comes out, and computes the weights a second time."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, reach: Reach, block: int
    ) -> tuple[Tensor, Tensor]:
        result = blockwise_forward(query, key, value, reach, block, block)
        ctx.save_for_backward(query, key, value, *result)
        ctx.reach, ctx.block = reach, block
        return result

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor, grad_lse: Tensor) -> tuple[Tensor | None, ...]:
        require_first_derivative("blockwise_attention", "grouped_query_attention")
        query, key, value, output, lse = ctx.saved_tensors
        gradients = blockwise_backward(
            (query, key, value),
            (output, lse),
            (grad_output, grad_lse),
            ctx.reach,
            ctx.block,
            ctx.block,
        )
        return *gradients, None, None
