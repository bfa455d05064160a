"""The plain form of attention beside the same formula written in PyTorch alone.

::

    python -m benchmarks.plain_forms
"""

import json
from dataclasses import asdict

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.benchmark import Benchmark, Measured
from benchmarks.compared import Call, Row, at_most, best_in_turns, table, times
from benchmarks.measure import Section, in_own_process
from course_lib.attention.dot_product import scaled_dot_product_attention
from course_lib.masks import causal_mask

LENGTH, ROUNDS = 4096, 5
NUM_HEADS, HEAD_DIM = 8, 64
OURS, PLAIN = "scaled_dot_product_attention (ours)", "the same formula in PyTorch"
FUSED = "F.scaled_dot_product_attention"
WHOLE, MASKED = "without a mask", "with a causal mask"
MOST = 1.2
WHY = (
    "ours takes the softmax in the formula's steps, and each of them reads and writes all scores; "
    "PyTorch's softmax does them while a row lies in the cache"
)


def plain(query: Tensor, key: Tensor, value: Tensor, may_attend: Tensor | None) -> Tensor:
    """Write the formula as one would: four steps, and no check of what comes in."""
    scores = (query / HEAD_DIM**0.5) @ key.mT
    if may_attend is not None:
        scores = scores.masked_fill(~may_attend, -torch.inf)
    return torch.softmax(scores, dim=-1) @ value


def calls(case: str, n: int) -> dict[str, Call]:
    """Return the ways to compute the same, as calls without arguments."""
    generator = torch.Generator().manual_seed(0)
    qkv = [torch.randn(1, NUM_HEADS, n, HEAD_DIM, generator=generator) for _ in range(3)]
    may_attend = causal_mask(n) if case == MASKED else None
    return {
        OURS: lambda: scaled_dot_product_attention(*qkv, may_attend)[0],
        PLAIN: lambda: plain(*qkv, may_attend),
        FUSED: lambda: functional.scaled_dot_product_attention(*qkv, may_attend),
    }


def measure_here(n: int = LENGTH, rounds: int = ROUNDS) -> list[Row]:
    """Let all take turns in this process."""
    rows = []
    with torch.no_grad():
        for case in (WHOLE, MASKED):
            seconds = best_in_turns(calls(case, n), rounds)
            rows += [Row(case=case, name=name, n=n, seconds=s) for name, s in seconds.items()]
    return rows


def measure() -> Measured:
    """Measure in a process of its own."""
    return {"times": in_own_process("benchmarks.plain_forms", "here")}


def tell(measured: Measured) -> tuple[Section, ...]:
    """Set the section of the page."""
    timed = [Row(**row) for row in measured["times"]]
    ratios = {case: times(timed, case, OURS, PLAIN, LENGTH) for case in (WHOLE, MASKED)}
    fused = [times(timed, case, OURS, FUSED, LENGTH) for case in (WHOLE, MASKED)]
    text = (
        f"B = 1, H = {NUM_HEADS}, D = {HEAD_DIM}, float32, forward, without gradients; the best of "
        f"{ROUNDS} calls that take turns. Both make all scores and return the same; passes over "
        f"the scores are what costs. PyTorch's fused one, which makes none, is {fused[0]:.1f} "
        f"times faster than ours without a mask and {fused[1]:.1f} times with one."
    )
    claim = f"the plain form, n = {LENGTH}, over the same formula in PyTorch"
    bar = at_most(claim, ratios, MOST, WHY)
    return (Section(title="The plain form", text=text, table=table(timed), bars=(bar,)),)


BENCHMARK = Benchmark(name="plain_forms", minutes=0.5, measure=measure, tell=tell)

if __name__ == "__main__":
    print(json.dumps([asdict(row) for row in measure_here()]))
