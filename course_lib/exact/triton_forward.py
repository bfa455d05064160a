"""Blockwise attention as one kernel in Triton: a program for each block of queries of a head.

Triton is optional: this module is imported without it, and its function says what is missing.
"""

from importlib.util import find_spec
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.attention.fitting import require_groups, require_key_values, require_same_size
from course_lib.exact.reach import Reach
from course_lib.scaling import softmax_scale
from course_lib.shapes import require_same_positions
from course_lib.sizes import require_positive

if find_spec("triton"):
    import triton
    import triton.language as tl
    from triton.language import constexpr
else:  # what is known when the kernel is compiled
    constexpr = int

__all__ = ["triton_forward"]

#: The smallest side of a matrix that a GPU's matrix unit multiplies.
SMALLEST = 16


def triton_forward(
    query: Float[Tensor, "B H T D"],
    key: Float[Tensor, "B G S D"],
    value: Float[Tensor, "B G S Dv"],
    causal: bool,
    window: int | None = None,
    block: int = 64,
) -> tuple[Float[Tensor, "B H T Dv"], Float[Tensor, "B H T"]]:
    r"""Attend as ``blockwise_forward`` does, each block of queries in a program of its own.

    .. math:: O = \mathrm{softmax}(Q K^\top / \sqrt D)\, V, \qquad
        \mathrm{lse}_t = \log \sum_s e^{q_t \cdot k_s / \sqrt D}

    A GPU runs the programs side by side, each with its tiles on the chip. A CPU runs them one after
    another in Triton's interpreter, if TRITON_INTERPRET=1 stands in the environment before
    Python imports Triton. This function has no way back; ``blockwise_attention`` has.

    Args:
        query: one row per head and position that asks; G divides H.
        key: one row per key/value head and position that can be read.
        value: what each of those positions hands over.
        causal: True where no query reads a later position; the last query sits at the last key.
        window: W, the keys within reach of a causal query, its own included; None for no bound.
        block: queries and keys of a tile, a power of two from 16 on; T and S need not be multiples.

    Returns:
        The output, in the dtype of the queries, and the log-sum-exp of each query's scaled scores,
        in float32, in which the kernel computes. A query with nothing to read gets zeros and minus
        infinity.

    Raises:
        ValueError: if G does not divide H, if sizes or dtypes differ, if there is no key, if the
            block is none of those, if there is a window and causal is False, or for float64.
        RuntimeError: if Triton is not installed, or if tensors on a CPU meet a kernel that is not
            interpreted.

    Source: Dao et al. 2022 (arXiv:2205.14135), alg. 1, with the loops exchanged and the division at
    the end of Dao 2023 (arXiv:2307.08691), alg. 1. Ours shares keys among the heads of a group by
    the index of the head; no key is copied.
    Cost: 2 B H T S (D + Dv) FLOPs, half of it if causal; a program holds block² scores.
    """
    require_groups("query", query, "key", key)
    require_same_size(query, key)
    require_same_positions("key", key, "value", value)
    require_key_values(key, value)
    _require_block(block)
    if query.dtype == torch.float64:
        raise ValueError(
            "the kernel computes in float32 and would lose the digits of torch.float64; "
            f"query has {query.dtype}, shape {tuple(query.shape)}"
        )
    B, H, T, D = query.shape
    reach = Reach(num_queries=T, num_keys=key.shape[2], causal=causal, window=window)
    output = query.new_empty(B, H, T, value.shape[-1])
    lse = query.new_empty(B, H, T, dtype=torch.float32)
    kernel = _kernel(query.device)
    kernel[(-(-T // block), B * H)](
        *(x.detach().contiguous() for x in (query, key, value)),
        output,
        lse,
        softmax_scale(D),
        T,
        reach.num_keys,
        reach.window or 0,
        H // key.shape[1],
        D,
        value.shape[-1],
        causal,
        block,
        *(max(triton.next_power_of_2(size), SMALLEST) for size in (D, value.shape[-1])),
    )
    return output, lse


def _attend(  # type: ignore[no-untyped-def]
    query,
    key,
    value,
    output,
    lse,
    scale,
    T,
    S,
    W,
    R: constexpr,
    D: constexpr,
    DV: constexpr,
    CAUSAL: constexpr,
    BLOCK: constexpr,
    D_PADDED: constexpr,
    DV_PADDED: constexpr,
):
    """Walk one block of queries of one head over its keys; a window W of 0 is none."""
    first, head = tl.program_id(0) * BLOCK, tl.program_id(1).to(tl.int64)
    rows = first + tl.arange(0, BLOCK)
    positions = rows + (S - T)
    dims, value_dims = tl.arange(0, D_PADDED), tl.arange(0, DV_PADDED)
    own = (head * T + rows)[:, None]  # rows of the queries, all heads below each other
    asked = (rows < T)[:, None]
    asks = tl.load(query + own * D + dims, mask=asked & (dims < D), other=0.0)
    queries = asks.to(tl.float32) * scale
    begin, end = 0, S
    if CAUSAL:
        end = tl.minimum(S, S - T + first + BLOCK)
        if W > 0:
            begin = tl.maximum(0, S - T + first + 1 - W)
    maximum = tl.full([BLOCK], float("-inf"), tl.float32)
    total = tl.zeros([BLOCK], tl.float32)
    mixed = tl.zeros([BLOCK, DV_PADDED], tl.float32)
    for start in range(begin, end, BLOCK):
        columns = start + tl.arange(0, BLOCK)
        shared = (head // R * S + columns)[:, None]  # the R heads of a group read the same rows
        there = (columns < end)[:, None]
        keys = tl.load(key + shared * D + dims, mask=there & (dims < D), other=0.0)
        values = tl.load(
            value + shared * DV + value_dims, mask=there & (value_dims < DV), other=0.0
        )
        scores = tl.dot(queries, tl.trans(keys.to(tl.float32)), input_precision="ieee")
        readable = (columns < end)[None, :]
        if CAUSAL:
            distance = positions[:, None] - columns[None, :]
            readable = readable & (distance >= 0) & ((W == 0) | (distance < W))
        scores = tl.where(readable, scores, float("-inf"))
        largest = tl.maximum(maximum, tl.max(scores, 1))
        shift = tl.where(largest == float("-inf"), 0.0, largest)  # (-inf) - (-inf) would be NaN
        weights = tl.exp(scores - shift[:, None])
        rescaled = tl.exp(maximum - shift)
        total = total * rescaled + tl.sum(weights, 1)
        mixed = mixed * rescaled[:, None]
        mixed += tl.dot(weights, values.to(tl.float32), input_precision="ieee")
        maximum = largest
    total = tl.where(maximum == float("-inf"), 1.0, total)  # nothing to read
    tl.store(lse + head * T + rows, maximum + tl.log(total), mask=rows < T)
    averages = (mixed / total[:, None]).to(output.dtype.element_ty)
    tl.store(output + own * DV + value_dims, averages, mask=asked & (value_dims < DV))


def _kernel(device: torch.device) -> Any:
    if find_spec("triton") is None:
        raise RuntimeError(
            "triton_forward runs a kernel in Triton, and the package triton is not installed; on "
            "Linux: pip install triton"
        )
    kernel = triton.jit(_attend)
    if device.type == "cpu" and isinstance(kernel, triton.JITFunction):
        raise RuntimeError(
            "a CPU runs the kernel in Triton's interpreter alone: set TRITON_INTERPRET=1 in the "
            f"environment before Python starts; query is on {device}"
        )
    return kernel


def _require_block(block: int) -> None:
    require_positive(block=block)
    if block < SMALLEST or block & (block - 1):
        raise ValueError(
            f"a tile's side is a power of two from {SMALLEST} on, as the matrix units have it; "
            f"block is {block}"
        )
