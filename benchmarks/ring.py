"""Ring attention: what each rank holds as more share a sequence, and how even their work is.

::

    python -m benchmarks.ring
"""

import json
import sys
import time
from dataclasses import asdict, dataclass
from itertools import product

import torch
import torch.distributed as dist

from benchmarks.benchmark import Benchmark, Measured
from benchmarks.compared import at_most
from benchmarks.living_bytes import LivingBytes
from benchmarks.measure import Bar, Section, exponent, in_own_process, markdown
from course_lib.exact.ring import Ring, ring_attention
from course_lib.exact.shards import Contiguous, Layout, Zigzag
from course_lib.processes.launch import run_ranks

RANKS = (1, 2, 4)
LENGTHS = (4096, 8192)
#: The work is compared at this length and with so many ranks.
SHORT, WORKERS, ROUNDS = 4096, 4, 3
NUM_HEADS, HEAD_DIM = 8, 64
LAYOUTS: dict[str, Layout] = {"zigzag": Zigzag(), "contiguous": Contiguous()}
EVEN = 1.10
WHY = (
    "a rank of a ring holds two parts of the keys at a time, the one that it reads and the one "
    "that arrives, and a ring of one holds only its own"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one rank needed.

    Attributes:
        layout: one of LAYOUTS.
        num_ranks: P.
        rank: which of them.
        n: positions of the whole sequence.
        peak: bytes of its living tensors at the worst moment, there and back; None where they were
            not counted.
        seconds: CPU seconds there and back; None where they were not measured.
    """

    layout: str
    num_ranks: int
    rank: int
    n: int
    peak: int | None = None
    seconds: float | None = None


def there_and_back(rank: int, num_ranks: int, layout: str, n: int) -> None:
    """Draw this rank's part, attend, and send the gradients home; nothing is kept."""
    generator = torch.Generator().manual_seed(rank)
    size = n // num_ranks
    parts = [torch.randn(1, NUM_HEADS, size, HEAD_DIM, generator=generator) for _ in range(3)]
    leaves = [part.requires_grad_() for part in parts]
    output, _ = ring_attention(*leaves, True, Ring(layout=LAYOUTS[layout]))
    torch.autograd.grad(output, leaves, torch.ones_like(output))


def peak_of_rank(rank: int, num_ranks: int, layout: str, n: int) -> int:
    """Count the bytes of this rank's tensors: its part of the sequence and all that is made."""
    with LivingBytes() as living:
        there_and_back(rank, num_ranks, layout, n)
    return living.most


def seconds_of_rank(rank: int, num_ranks: int, layout: str, n: int) -> float:
    """Measure this rank's work, without its waiting: the best of several."""
    there_and_back(rank, num_ranks, layout, n)
    times = []
    for _ in range(ROUNDS):
        dist.barrier()
        start = time.thread_time()  # gloo's own threads poll while they wait
        there_and_back(rank, num_ranks, layout, n)
        times.append(time.thread_time() - start)
    return min(times)


def measure_peaks() -> list[Row]:
    """Start 1, 2 and 4 ranks, one after the other."""
    rows = []
    for n, num_ranks in product(LENGTHS, RANKS):
        found = run_ranks(peak_of_rank, num_ranks, "zigzag", n, timeout=300.0)
        rows += [
            Row(layout="zigzag", num_ranks=num_ranks, rank=rank, n=n, peak=peak)
            for rank, peak in enumerate(found)
        ]
    return rows


def measure_work() -> list[Row]:
    """Let four ranks work, in either layout."""
    rows = []
    for layout in LAYOUTS:
        found = run_ranks(seconds_of_rank, WORKERS, layout, SHORT, timeout=300.0)
        rows += [
            Row(layout=layout, num_ranks=WORKERS, rank=rank, n=SHORT, seconds=seconds)
            for rank, seconds in enumerate(found)
        ]
    return rows


def measure() -> Measured:
    """Measure in processes of their own."""
    return {kind: in_own_process("benchmarks.ring", kind) for kind in ("peaks", "work")}


def largest(peaks: list[Row]) -> dict[tuple[int, int], int]:
    """Return the bytes of the rank that needs most, by n and P."""
    found: dict[tuple[int, int], int] = {}
    for row in peaks:
        found[row.n, row.num_ranks] = max(found.get((row.n, row.num_ranks), 0), row.peak or 0)
    return found


def imbalance(work: list[Row], layout: str) -> float:
    """Return the work of the busiest rank over the mean of all."""
    seconds = [row.seconds or 0.0 for row in work if row.layout == layout]
    return max(seconds) * len(seconds) / sum(seconds)


def bars(peaks: list[Row], work: list[Row]) -> tuple[Bar, ...]:
    """Hold memory and work against their bounds."""
    even = at_most(
        f"work of the busiest of {WORKERS} ranks over their mean, zigzag",
        {"": imbalance(work, "zigzag")},
        EVEN,
    )
    found = largest(peaks)
    power = exponent([n / P for n, P in found], list(found.values()))
    n, (one, *_, most) = LENGTHS[-1], RANKS
    ratio = found[n, one] / found[n, most]
    shared = found[n, 2] / found[n, most]
    falling = Bar(
        claim="peak memory of a rank grows with n / P: exponent (0.9 … 1.1), and twice the ranks "
        "of a ring hold half each (1.8 … 2.2)",
        measured=f"(n/P)^{power:.2f}; from P = 2 to {most} {shared:.2f} times less, from {one} to "
        f"{most} {ratio:.2f} times",
        holds=0.9 <= power <= 1.1 and 1.8 <= shared <= 2.2,
        why=WHY,
    )
    return falling, even


def tell(measured: Measured) -> tuple[Section, ...]:
    """Set the section of the page."""
    peaks, work = ([Row(**row) for row in measured[kind]] for kind in ("peaks", "work"))
    lines = [
        [f"peak MB of a rank, n = {n}, P = {P}", f"{nbytes / 1e6:.1f}"]
        for (n, P), nbytes in largest(peaks).items()
    ]
    for layout in LAYOUTS:
        seconds = [f"{1e3 * (row.seconds or 0.0):.0f}" for row in work if row.layout == layout]
        lines.append([f"CPU ms of each rank, {layout}", ", ".join(seconds)])
    text = (
        f"B = 1, H = {NUM_HEADS}, D = {HEAD_DIM}, float32, causal, forward and backward, ranks by "
        f"gloo on one machine. Memory is that of a rank's living tensors, its part of the sequence "
        "included; a ring of one has no keys on their way. "
        f"Work at n = {SHORT} with {WORKERS} ranks, where the busiest of the contiguous ones does "
        f"{imbalance(work, 'contiguous'):.2f} times the mean."
    )
    table = markdown(["", "measured"], lines)
    return (Section(title="Ring attention", text=text, table=table, bars=bars(peaks, work)),)


BENCHMARK = Benchmark(name="ring", minutes=1.5, measure=measure, tell=tell)

if __name__ == "__main__":
    if sys.argv[1:2] == ["peaks"]:
        print(json.dumps([asdict(row) for row in measure_peaks()]))
    elif sys.argv[1:2] == ["work"]:
        print(json.dumps([asdict(row) for row in measure_work()]))
    else:
        print(tell(measure())[0].table)
