"""Attention in tiles beside PyTorch's fused one: time and memory, there and back.

One process in which all take turns, and one for each peak of memory::

    python -m benchmarks.exact
"""

import json
import sys
from dataclasses import asdict
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.benchmark import Benchmark, Measured
from benchmarks.compared import (
    Call,
    Row,
    at_most,
    best_in_turns,
    find,
    power,
    table,
    times,
    with_gradients,
)
from benchmarks.measure import Bar, Section, in_own_process, markdown, megabytes, peak_bytes
from course_lib.exact.blockwise import blockwise_attention

SIZES = (1024, 4096, 16384)
#: Times are compared at this size, the best of so many calls.
LENGTH, ROUNDS = 4096, 5
NUM_HEADS, HEAD_DIM, BLOCK = 8, 64, 256
OURS, FUSED = "blockwise_attention (ours)", "F.scaled_dot_product_attention"
PRODUCTS = "torch.bmm, the products of the tiles alone"
FORWARD, BOTH = "forward", "forward and backward"
MOST = {FORWARD: 1.6, BOTH: 1.3}
WHY = (
    "the products of the tiles alone, by PyTorch's own batched kernel, take nearly what all of the "
    "fused one takes; each pass over a tile between them comes on top"
)


def ours(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attend in tiles."""
    return blockwise_attention(query, key, value, True)[0]


def fused(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attend in one kernel."""
    return functional.scaled_dot_product_attention(query, key, value, is_causal=True)


FUNCTIONS = {OURS: ours, FUSED: fused}


def drawn(n: int) -> list[Tensor]:
    """Return queries, keys, values and the gradient of the output."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(1, NUM_HEADS, n, HEAD_DIM, generator=generator) for _ in range(4)]


def call(case: str, name: str, n: int) -> Call:
    """Return one way to attend as a call without arguments."""
    *qkv, gradient = drawn(n)
    if name == PRODUCTS:
        return lambda: products(*(x[0] for x in qkv), backward=case == BOTH)
    if case == BOTH:
        return with_gradients(FUNCTIONS[name], qkv, gradient)

    def forward() -> Tensor:
        with torch.no_grad():
            return FUNCTIONS[name](*qkv)

    return forward


def products(query: Tensor, key: Tensor, value: Tensor, *, backward: bool) -> None:
    """Multiply what a causal attention in tiles multiplies, and do nothing in between.

    Args:
        query: H T D.
        key: of the same shape.
        value: of the same shape.
        backward: True multiplies five times more per tile, as the way back does.
    """
    result = torch.zeros_like(query)
    for first in range(0, query.shape[1], BLOCK):
        rows = slice(first, first + BLOCK)
        for start in range(0, first + 1, BLOCK):
            columns = slice(start, start + BLOCK)
            tile = torch.bmm(query[:, rows], key[:, columns].mT)
            result[:, rows].baddbmm_(tile, value[:, columns])
            if backward:
                tile = torch.bmm(query[:, rows], key[:, columns].mT)
                other = torch.bmm(query[:, rows], value[:, columns].mT)
                result[:, columns].baddbmm_(tile.mT, query[:, rows])
                result[:, columns].baddbmm_(other.mT, query[:, rows])
                result[:, rows].baddbmm_(other, key[:, columns])


def measure_times() -> list[Row]:
    """Let all take turns in this process."""
    rows = []
    for case in (FORWARD, BOTH):
        calls = {name: call(case, name, LENGTH) for name in (OURS, FUSED, PRODUCTS)}
        seconds = best_in_turns(calls, ROUNDS)
        rows += [Row(case=case, name=name, n=LENGTH, seconds=s) for name, s in seconds.items()]
    return rows


def measure_peak(case: str, name: str, n: int) -> Row:
    """Measure the memory of one call in this process."""
    call(case, name, 16)()  # loads what PyTorch loads at the first call
    return Row(case=case, name=name, n=n, peak=peak_bytes(call(case, name, n)))


def measure() -> Measured:
    """Measure times and peaks, in processes of their own."""
    own, cases = "benchmarks.exact", product((FORWARD, BOTH), FUNCTIONS, SIZES)
    peaks = [in_own_process(own, "peak", *case) for case in cases]
    return {"times": in_own_process(own, "times"), "peaks": peaks}


def peak_bars(peaks: list[Row]) -> list[Bar]:
    """Hold the memory against its bounds."""
    if any(row.peak is None for row in peaks):
        return []
    powers = {case: power(peaks, case, OURS, "peak") for case in MOST}
    shares = {
        f"{case} at {n}": find(peaks, case, OURS, n).peak / find(peaks, case, FUSED, n).peak
        for case in MOST
        for n in SIZES[1:]
    }
    reach = f"n = {SIZES[0]} to {SIZES[-1]}"
    return [
        at_most(f"memory of blockwise attention grows with n, {reach}: exponent", powers, 1.1),
        at_most("peak memory of blockwise attention over the fused one's", shares, 2.0),
    ]


def tell(measured: Measured) -> tuple[Section, ...]:
    """Set the section of the page."""
    timed, peaks = ([Row(**row) for row in measured[kind]] for kind in ("times", "peaks"))
    claim = f"blockwise attention, n = {LENGTH}, over the fused one: "
    bars = [
        at_most(claim + case, {"": times(timed, case, OURS, FUSED, LENGTH)}, most, WHY)
        for case, most in MOST.items()
    ]
    floors = [times(timed, case, PRODUCTS, FUSED, LENGTH) for case in MOST]
    text = (
        f"B = 1, H = {NUM_HEADS}, D = {HEAD_DIM}, float32, causal; tiles of {BLOCK} by {BLOCK}. "
        f"Times are the best of {ROUNDS} calls that take turns. The products of the tiles alone, "
        f"without a softmax, take {floors[0]:.2f} of the fused one's time forward and "
        f"{floors[1]:.2f} there and back."
    )
    header = ["peak, MB", "", *(f"n = {n}" for n in SIZES)]
    lines = [
        [case, name, *(megabytes(find(peaks, case, name, n).peak) for n in SIZES)]
        for case, name in product(MOST, FUNCTIONS)
    ]
    tables = f"{table(timed)}\n\n{markdown(header, lines, words=2)}"
    bars += peak_bars(peaks)
    return (Section(title="Attention in tiles", text=text, table=tables, bars=tuple(bars)),)


BENCHMARK = Benchmark(name="exact", minutes=1.5, measure=measure, tell=tell)

if __name__ == "__main__":
    if sys.argv[1:2] == ["times"]:
        print(json.dumps([asdict(row) for row in measure_times()]))
    elif sys.argv[1:2] == ["peak"]:
        print(json.dumps(asdict(measure_peak(sys.argv[2], sys.argv[3], int(sys.argv[4])))))
    else:
        print(tell(measure())[0].table)
