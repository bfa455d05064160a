"""Ring attention: what each rank holds when more ranks share a sequence, and how even their work is.

::

    python -m benchmarks.ring
"""

import json
import sys
import time
from dataclasses import asdict, dataclass

import torch
import torch.distributed as dist

from benchmarks.benchmark import Benchmark, Measured
from benchmarks.compared import at_most
from benchmarks.measure import Bar, Section, exponent, in_own_process, markdown, peak_bytes
from course_lib.exact.ring import Ring, ring_attention
from course_lib.exact.shards import Contiguous, Layout, Zigzag
from course_lib.processes.launch import run_ranks

RANKS = (1, 2, 4)
LENGTH = 16384
#: The work is compared at this length and with so many ranks.
SHORT, WORKERS, ROUNDS = 4096, 4, 3
NUM_HEADS, HEAD_DIM = 8, 64
LAYOUTS: dict[str, Layout] = {"zigzag": Zigzag(), "contiguous": Contiguous()}
EVEN = 1.10


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one rank needed.

    Attributes:
        layout: one of LAYOUTS.
        num_ranks: P.
        rank: which of them.
        n: positions of the whole sequence.
        peak: bytes at the worst moment, there and back; None where it was not measured.
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


def peak_of_rank(rank: int, num_ranks: int, layout: str, n: int) -> int | None:
    """Measure this rank's memory: its part of the sequence and all that is made of it."""
    there_and_back(rank, num_ranks, layout, 16 * num_ranks)  # what is loaded at the first call
    dist.barrier()
    return peak_bytes(lambda: there_and_back(rank, num_ranks, layout, n))


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
    for num_ranks in RANKS:
        found = run_ranks(peak_of_rank, num_ranks, "zigzag", LENGTH, timeout=300.0)
        rows += [
            Row(layout="zigzag", num_ranks=num_ranks, rank=rank, n=LENGTH, peak=peak)
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


def largest(peaks: list[Row]) -> dict[int, int]:
    """Return the bytes of the rank that needs most, by P; nothing where they are unknown."""
    found: dict[int, int] = {}
    for row in peaks:
        if row.peak is None:
            return {}
        found[row.num_ranks] = max(found.get(row.num_ranks, 0), row.peak)
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
    if not found:
        return (even,)
    power = exponent(list(found), list(found.values()))
    ratio = found[RANKS[0]] / found[RANKS[-1]]
    falling = Bar(
        claim="peak memory of a rank falls with 1/P: exponent (≤ −0.9), and that of one rank is "
        "at least 3.4 times that of one of four",
        measured=f"P^{power:.2f}, {ratio:.2f} times",
        holds=power <= -0.9 and ratio >= 3.4,
        why="a rank holds two parts at a time, the one that it reads and the one that arrives, and "
        "a single rank only one",
    )
    return falling, even


def tell(measured: Measured) -> tuple[Section, ...]:
    """Set the section of the page."""
    peaks, work = ([Row(**row) for row in measured[kind]] for kind in ("peaks", "work"))
    lines = [[f"peak MB of a rank, P = {P}", f"{n / 1e6:.0f}"] for P, n in largest(peaks).items()]
    for layout in LAYOUTS:
        seconds = [f"{1e3 * (row.seconds or 0.0):.0f}" for row in work if row.layout == layout]
        lines.append([f"CPU ms of each rank, {layout}", ", ".join(seconds)])
    text = (
        f"B = 1, H = {NUM_HEADS}, D = {HEAD_DIM}, float32, causal, forward and backward, ranks by "
        f"gloo on one machine. Memory at n = {LENGTH}, a rank's part of the sequence included; "
        f"work at n = {SHORT} with {WORKERS} ranks, where the busiest of the contiguous ones does "
        f"{imbalance(work, 'contiguous'):.2f} times the mean."
    )
    table = markdown(["", "measured"], lines)
    return (Section(title="Ring attention", text=text, table=table, bars=bars(peaks, work)),)


BENCHMARK = Benchmark(name="ring", minutes=2.0, measure=measure, tell=tell)

if __name__ == "__main__":
    if sys.argv[1:2] == ["peaks"]:
        print(json.dumps([asdict(row) for row in measure_peaks()]))
    elif sys.argv[1:2] == ["work"]:
        print(json.dumps([asdict(row) for row in measure_work()]))
    else:
        print(tell(measure())[0].table)
