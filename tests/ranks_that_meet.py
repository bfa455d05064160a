"""What ranks do in tests of processes: hand on, fail, disagree. A process imports it by name."""

import os
import time

import torch

from course_lib.processes.neighbours import require_same_on_each_rank, send_on


def around(rank: int, num_ranks: int, rounds: int) -> dict[str, object]:
    """Hand a tensor and a matrix around, and say what came by and how many threads there are."""
    held = torch.tensor([rank]), torch.full((2, 3), float(rank)).mT  # a view that is not contiguous
    seen = [rank]
    for _ in range(rounds):
        held = send_on(held, None).wait()
        seen.append(int(held[0]))
        assert (held[1] == seen[-1]).all()
        assert held[1].shape == (3, 2)
    return {"seen": seen, "threads": torch.get_num_threads()}


def fails(rank: int, num_ranks: int, how: str) -> int:
    """Fail on rank 1 alone; the others wait for it."""
    if rank == 1 and how == "raises":
        raise ZeroDivisionError("a bug of rank 1")
    if rank == 1 and how == "dies":
        os._exit(7)
    if rank == 1 and how == "stalls":
        time.sleep(600)
    if rank == 0 and how == "dies while rank 0 is at something else":
        time.sleep(2)  # long after rank 1 has gone
        raise ZeroDivisionError("what rank 0 saw")
    if rank == 1 and how == "dies while rank 0 is at something else":
        os._exit(7)
    send_on((torch.zeros(1),), None).wait()
    return rank


def disagrees(rank: int, num_ranks: int) -> str:
    """Return what is said where ranks have sequences of different lengths."""
    cpu = torch.device("cpu")
    require_same_on_each_rank("all are alike", None, cpu, T=4, D=3)
    try:
        require_same_on_each_rank("all hold as many", None, cpu, D=3, T=4 + (rank == 1))
    except ValueError as error:
        return str(error)
    raise AssertionError("a rank with T=5 beside T=4 was not told")
