"""Attention over n positions: ours beside PyTorch's, in CPU time and peak memory.

One process for each function and n::

    python -m benchmarks.attention
"""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.benchmark import Benchmark, Measured
from benchmarks.measure import (
    UNKNOWN,
    Bar,
    Section,
    cpu_seconds,
    exponent,
    in_own_process,
    markdown,
    peak_bytes,
)
from course_lib.attention.dot_product import scaled_dot_product_attention
from course_lib.attention.grouped import grouped_query_attention
from course_lib.attention.heads import multi_head_attention
from course_lib.masks import causal_mask

SIZES = (256, 512, 1024, 2048, 4096)
#: Exponents are those from here on: below, fixed costs count.
LARGE = 1024
NUM_HEADS, NUM_KV_HEADS, HEAD_DIM = 8, 2, 64
D_MODEL = NUM_HEADS * HEAD_DIM
OURS = "scaled_dot_product_attention (ours)"
GROUPED = f"grouped_query_attention, G = {NUM_KV_HEADS} (ours)"
HEADS = "multi_head_attention (ours)"
FUSED = "F.scaled_dot_product_attention, is_causal"
FUSED_MASK = "F.scaled_dot_product_attention, attn_mask"
MODULE = "nn.MultiheadAttention"
MODULE_WEIGHTS = "nn.MultiheadAttention, need_weights"
#: Those with projections are compared with each other.
NAMES = (OURS, GROUPED, FUSED_MASK, FUSED, HEADS, MODULE_WEIGHTS, MODULE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measurement.

    Attributes:
        name: of the function.
        n: positions, T = S.
        seconds: CPU seconds of a call.
        peak: bytes at the worst moment, the output included; None where it cannot be measured.
    """

    name: str
    n: int
    seconds: float
    peak: int | None


def attention(name: str, n: int) -> Callable[[], Tensor]:
    """Return one causal attention as a call without arguments; it returns the output.

    Args:
        name: one of NAMES.
        n: positions.

    Returns:
        The call. Those with the same arguments (with and without projections) return the same.
    """
    generator = torch.Generator().manual_seed(0)
    draw = partial(torch.randn, generator=generator)
    if name in (HEADS, MODULE, MODULE_WEIGHTS):
        x = draw(1, n, D_MODEL)
        weights = [draw(D_MODEL, D_MODEL) / D_MODEL**0.5 for _ in range(4)]
        return _with_projections(name, x, weights)
    query, key, value = (draw(1, NUM_HEADS, n, HEAD_DIM) for _ in range(3))
    if name == GROUPED:
        key, value = key[:, :NUM_KV_HEADS].clone(), value[:, :NUM_KV_HEADS].clone()
    fused = functional.scaled_dot_product_attention
    if name == FUSED:
        return lambda: fused(query, key, value, is_causal=True)
    may_attend = causal_mask(n)
    if name == FUSED_MASK:
        return lambda: fused(query, key, value, attn_mask=may_attend)
    if name == GROUPED:
        return lambda: grouped_query_attention(query, key, value, may_attend)
    return lambda: scaled_dot_product_attention(query, key, value, may_attend)[0]


def _with_projections(name: str, x: Tensor, weights: list[Tensor]) -> Callable[[], Tensor]:
    w_q, w_k, w_v, w_o = weights
    may_attend = causal_mask(x.shape[1])
    if name == HEADS:
        return lambda: multi_head_attention(x, w_q, w_k, w_v, w_o, NUM_HEADS, may_attend)
    module = nn.MultiheadAttention(D_MODEL, NUM_HEADS, bias=False, batch_first=True).eval()
    with torch.no_grad():
        module.in_proj_weight.copy_(torch.cat([w_q.mT, w_k.mT, w_v.mT]))
        module.out_proj.weight.copy_(w_o.mT)
    options = {"attn_mask": ~may_attend, "is_causal": True, "need_weights": False}
    if name == MODULE_WEIGHTS:
        options |= {"need_weights": True, "average_attn_weights": False, "is_causal": False}
    return lambda: module(x, x, x, **options)[0]


def measure_here(name: str, n: int) -> Row:
    """Measure one attention in this process: memory in the first call of this size, then time."""
    with torch.no_grad():
        attention(name, 16)()  # loads what PyTorch loads at the first call
        call = attention(name, n)
        peak = peak_bytes(call)
        return Row(name=name, n=n, seconds=cpu_seconds(call), peak=peak)


def rows(names: tuple[str, ...] = NAMES, sizes: tuple[int, ...] = SIZES) -> list[Row]:
    """Measure each attention at each size, each in a process of its own."""
    pairs = [(name, n) for n in sizes for name in names]
    return [Row(**in_own_process("benchmarks.attention", name, n)) for name, n in pairs]


def select(measured: list[Row], name: str, least: int = 0) -> list[Row]:
    """Return the rows of one function, from a size on."""
    return [row for row in measured if row.name == name and row.n >= least]


def exponents(measured: list[Row], name: str) -> tuple[float, float | None]:
    """Return with which power of n time and memory grow, from LARGE on."""
    large = select(measured, name, LARGE)
    sizes = [row.n for row in large]
    peaks = [row.peak for row in large if row.peak]
    time = exponent(sizes, [row.seconds for row in large])
    return time, exponent(sizes, peaks) if len(peaks) == len(sizes) else None


def bars(measured: list[Row]) -> tuple[Bar, ...]:
    """Hold the memory against what the docstrings promise."""
    ours, fused = (exponents(measured, name)[1] for name in (OURS, FUSED))
    if ours is None or fused is None:
        return ()
    last = select(measured, OURS)[-1]
    scores = 4 * NUM_HEADS * last.n**2
    return (
        Bar(
            claim="memory of ours grows with n² (1.8 … 2.1), for it holds the scores",
            measured=f"n^{ours:.2f}; at n = {last.n} {(last.peak or 0) / scores:.1f} times the "
            "scores' bytes",
            holds=1.8 <= ours <= 2.1,
        ),
        Bar(
            claim="memory of PyTorch's fused one grows with n (≤ 1.1)",
            measured=f"n^{fused:.2f}",
            holds=fused <= 1.1,
        ),
    )


def table(measured: list[Row]) -> str:
    """Set the rows as a Markdown table, one line a function."""
    sizes = sorted({row.n for row in measured})
    names = list(dict.fromkeys(row.name for row in measured))
    header = ["CPU ms", *(f"n = {n}" for n in sizes), "time", "MB at " + str(sizes[-1]), "memory"]
    lines = []
    for name in names:
        own = select(measured, name)
        time, memory = exponents(measured, name)
        peak = own[-1].peak
        lines.append(
            [
                name,
                *(f"{1e3 * row.seconds:.1f}" for row in own),
                f"n^{time:.2f}",
                UNKNOWN if peak is None else f"{peak / 1e6:.0f}",
                UNKNOWN if memory is None else f"n^{memory:.2f}",
            ]
        )
    return markdown(header, lines)


def section(measured: list[Row]) -> Section:
    """Tell what came out."""
    last = {row.name: row for row in measured if row.n == max(SIZES)}
    slower = last[OURS].seconds / last[FUSED].seconds
    heads = last[HEADS].seconds / last[MODULE_WEIGHTS].seconds
    text = (
        f"B = 1, H = {NUM_HEADS}, D = {HEAD_DIM}, float32, causal, forward, without gradients. The "
        f"last three project too, with C = {D_MODEL}. Exponents are those from n = {LARGE} on; "
        "memory is what a call needs beyond its arguments, the output included. At n = "
        f"{max(SIZES)} ours takes {slower:.1f} times as long as the fused one, and with "
        f"projections {heads:.1f} times as long as nn.MultiheadAttention when that returns its "
        "weights."
    )
    return Section(title="Attention", text=text, table=table(measured), bars=bars(measured))


def measure() -> Measured:
    """Measure everything, as JSON keeps it."""
    return {"rows": [asdict(row) for row in rows()]}


def tell(measured: Measured) -> tuple[Section, ...]:
    """Set the section of the page."""
    return (section([Row(**row) for row in measured["rows"]]),)


BENCHMARK = Benchmark(name="attention", minutes=3.0, measure=measure, tell=tell)

if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps(asdict(measure_here(sys.argv[1], int(sys.argv[2])))))
    else:
        print(table(rows()))
