"""Sliding windows beside blocks of queries written by hand around PyTorch's fused attention.

::

    python -m benchmarks.efficient
"""

import json
from dataclasses import asdict

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.benchmark import Benchmark, Measured
from benchmarks.compared import (
    Call,
    Row,
    at_most,
    best_in_turns,
    power,
    table,
    times,
    with_gradients,
)
from benchmarks.measure import Section, in_own_process
from course_lib.efficient.sliding import sliding_attention

SIZES = {1024: 9, 4096: 5, 16384: 3}  # positions, and how many rounds
NUM_HEADS, HEAD_DIM, WINDOW = 8, 64, 256
OURS, BLOCKS = "sliding_attention (ours)", "blocks around F.scaled_dot_product_attention"
FORWARD, BOTH = "forward", "forward and backward"
MOST = 1.2


def ours(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attend within a window."""
    return sliding_attention(query, key, value, WINDOW)


def blocks(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Let each W queries read their own keys and the W before; the mask is made once."""
    n = query.shape[2]
    behind = torch.arange(WINDOW)[:, None] + WINDOW - torch.arange(2 * WINDOW)
    may_attend = (behind >= 0) & (behind < WINDOW)
    outputs = []
    for start in range(0, n, WINDOW):
        first = max(start - WINDOW, 0)
        rows, columns = slice(start, start + WINDOW), slice(first, start + WINDOW)
        mask = may_attend[:, WINDOW - (start - first) :]
        parts = query[:, :, rows], key[:, :, columns], value[:, :, columns]
        outputs.append(functional.scaled_dot_product_attention(*parts, mask))
    return torch.cat(outputs, dim=2)


FUNCTIONS = {OURS: ours, BLOCKS: blocks}


def calls(case: str, n: int) -> dict[str, Call]:
    """Return both ways as calls without arguments.

    Args:
        case: FORWARD or BOTH.
        n: positions, a multiple of the window.

    Returns:
        The calls, by name.
    """
    generator = torch.Generator().manual_seed(0)
    *qkv, gradient = (torch.randn(1, NUM_HEADS, n, HEAD_DIM, generator=generator) for _ in range(4))

    def forward(name: str) -> Tensor:
        with torch.no_grad():
            return FUNCTIONS[name](*qkv)

    if case == FORWARD:
        return {name: lambda name=name: forward(name) for name in FUNCTIONS}
    return {name: with_gradients(f, qkv, gradient) for name, f in FUNCTIONS.items()}


def measure_here() -> list[Row]:
    """Let both take turns in this process."""
    rows = []
    for n, rounds in SIZES.items():
        for case in (FORWARD, BOTH):
            seconds = best_in_turns(calls(case, n), rounds)
            rows += [Row(case=case, name=name, n=n, seconds=s) for name, s in seconds.items()]
    return rows


def measure() -> Measured:
    """Measure in a process of its own."""
    return {"times": in_own_process("benchmarks.efficient", "here")}


def tell(measured: Measured) -> tuple[Section, ...]:
    """Set the section of the page."""
    timed = [Row(**row) for row in measured["times"]]
    ratios = {f"{case} at {n}": times(timed, case, OURS, BLOCKS, n) for case, n in cases(timed)}
    powers = [power(timed, case, OURS) for case in (FORWARD, BOTH)]
    text = (
        f"B = 1, H = {NUM_HEADS}, D = {HEAD_DIM}, W = {WINDOW}, float32. Blocks of W queries read "
        "at most 2 W keys; what ours is compared with is written for this window and whole blocks "
        f"alone. Ours grows with n^{powers[0]:.2f} forward and n^{powers[1]:.2f} there and back."
    )
    bar = at_most("a sliding window, over blocks around the fused attention", ratios, MOST)
    return (Section(title="A sliding window", text=text, table=table(timed), bars=(bar,)),)


def cases(timed: list[Row]) -> list[tuple[str, int]]:
    """Return each case at each size, once."""
    return list(dict.fromkeys((row.case, row.n) for row in timed))


BENCHMARK = Benchmark(name="efficient", minutes=0.5, measure=measure, tell=tell)

if __name__ == "__main__":
    print(json.dumps([asdict(row) for row in measure_here()]))
