"""A mixture of experts beside PyTorch's grouped product, there and back.

::

    python -m benchmarks.experts
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
    find,
    table,
    times,
    with_gradients,
)
from benchmarks.measure import Section, in_own_process
from course_lib.experts.mixture import gated_moe_forward

SIZES = {64: 30, 512: 15, 4096: 5}  # tokens, and how many rounds
NUM_EXPERTS, CHOSEN, WIDTH = 32, 4, 512
OURS, GROUPED = "gated_moe_forward (ours)", "F.grouped_mm"
GRADIENTS = "memory for the gradients of the matrices"
FORWARD, BOTH = "forward", "forward and backward"
MOST_FORWARD, MOST_BACKWARD = 1.1, 3.0
WHY = (
    "with few tokens the way back is one product per product for the tokens and one for the "
    "matrices, and has to write a gradient for every matrix, which the way there only reads; "
    "PyTorch's grouped product needs as many times its own way there"
)


def ours(x: Tensor, weights: Tensor, *rest: Tensor) -> Tensor:
    """Send tokens through experts."""
    *matrices, experts = rest
    return gated_moe_forward(x, experts, weights, *matrices)


def grouped(x: Tensor, weights: Tensor, *rest: Tensor) -> Tensor:
    """Do the same with PyTorch's one operation for all experts."""
    gate, up, down, experts = rest
    order = experts.flatten().argsort(stable=True)
    counts = torch.bincount(experts.flatten(), minlength=NUM_EXPERTS)
    ends = counts.cumsum(0).to(torch.int32)
    rows = x[order // CHOSEN]
    hidden = functional.silu(functional.grouped_mm(rows, gate, offs=ends))
    hidden = hidden * functional.grouped_mm(rows, up, offs=ends)
    given = functional.grouped_mm(hidden, down, offs=ends)
    weighed = given * weights.flatten()[order].unsqueeze(-1)
    return torch.zeros_like(x).index_add_(0, order // CHOSEN, weighed)


FUNCTIONS = {OURS: ours, GROUPED: grouped}


def drawn(num_tokens: int) -> tuple[list[Tensor], Tensor, Tensor]:
    """Return what learns, the chosen experts, and the gradient that arrives."""
    generator = torch.Generator().manual_seed(0)
    x, gradient = torch.randn(2, num_tokens, WIDTH, generator=generator)
    scores = torch.rand(num_tokens, NUM_EXPERTS, generator=generator)
    weights, experts = scores.topk(CHOSEN)
    matrices = torch.randn(3, NUM_EXPERTS, WIDTH, WIDTH, generator=generator) / WIDTH**0.5
    return [x, weights, *matrices], experts, gradient


def calls(case: str, num_tokens: int) -> dict[str, Call]:
    """Return the ways to compute the same, as calls without arguments."""
    learnt, experts, gradient = drawn(num_tokens)

    def forward(name: str) -> Tensor:
        with torch.no_grad():
            return FUNCTIONS[name](*learnt, experts)

    if case == FORWARD:
        return {name: lambda name=name: forward(name) for name in FUNCTIONS}
    found: dict[str, Call] = {
        name: with_gradients(lambda *x, f=f: f(*x, experts), learnt, gradient)
        for name, f in FUNCTIONS.items()
    }
    return found | {GRADIENTS: lambda: [torch.zeros_like(matrix) for matrix in learnt[2:]]}


def measure_here() -> list[Row]:
    """Let all take turns in this process."""
    rows = []
    for n, rounds in SIZES.items():
        for case in (FORWARD, BOTH):
            seconds = best_in_turns(calls(case, n), rounds)
            rows += [Row(case=case, name=name, n=n, seconds=s) for name, s in seconds.items()]
    return rows


def measure() -> Measured:
    """Measure in a process of its own."""
    return {"times": in_own_process("benchmarks.experts", "here")}


def back_over_there(timed: list[Row], name: str, n: int) -> float:
    """Return how many times as long as the way there the way back takes."""
    there, both = (find(timed, case, name, n).seconds or 0.0 for case in (FORWARD, BOTH))
    return (both - there) / there


def tell(measured: Measured) -> tuple[Section, ...]:
    """Set the section of the page."""
    timed = [Row(**row) for row in measured["times"]]
    forward = {f"at {n} tokens": times(timed, FORWARD, OURS, GROUPED, n) for n in SIZES}
    backward = {f"at {n} tokens": back_over_there(timed, OURS, n) for n in SIZES}
    theirs = ", ".join(f"{back_over_there(timed, GROUPED, n):.2f} at {n}" for n in SIZES)
    first = next(iter(SIZES))
    share = (find(timed, BOTH, GRADIENTS, first).seconds or 0.0) / (
        find(timed, FORWARD, OURS, first).seconds or 1.0
    )
    text = (
        f"E = {NUM_EXPERTS} experts, A = {CHOSEN}, C = F = {WIDTH}, SwiGLU, float32; the best of "
        f"{SIZES[first]}, {SIZES[512]} and {SIZES[4096]} calls that take turns. The way back of "
        f"PyTorch's grouped product takes {theirs} of its own way there. To ask for the memory of "
        f"the matrices' gradients and fill it with zeros alone takes {share:.2f} of our way there "
        f"at {first} tokens."
    )
    bars = (
        at_most("a mixture's way there, over grouped_mm's", forward, MOST_FORWARD, WHY_FORWARD),
        at_most("a mixture's way back, over its way there", backward, MOST_BACKWARD, WHY),
    )
    return (Section(title="Mixtures of experts", text=text, table=table(timed), bars=bars),)


#: Said where the bound is missed.
WHY_FORWARD = (
    "the products are the same ones; what is left are the copies into the order of the experts and "
    "back, and a call per expert from Python"
)
BENCHMARK = Benchmark(name="experts", minutes=0.5, measure=measure, tell=tell)

if __name__ == "__main__":
    print(json.dumps([asdict(row) for row in measure_here()]))
