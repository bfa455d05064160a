"""Processes that work, raise, die, stall and disagree: results by rank, or who failed and why."""

import time

import pytest
import torch.distributed as dist
from ranks_that_meet import around, disagrees, fails

from course_lib.processes.launch import run_ranks


@pytest.mark.parametrize("num_ranks", [1, 3])
def test_results_come_by_rank_and_the_ring_is_that_of_the_schedule(num_ranks: int) -> None:
    results = run_ranks(around, num_ranks, 4)
    for rank, result in enumerate(results):
        expected = [(rank - step) % num_ranks for step in range(5)]
        assert result == {"seen": expected, "threads": 1}


@pytest.mark.parametrize(
    ("how", "limit", "message"),
    [
        ("raises", 400.0, r"rank 1: ZeroDivisionError: a bug of rank 1"),
        ("dies", 400.0, r"rank 1 died without a word, with exit code 7"),
        # Whoever is still at work when a rank is gone has time to see it and to say so.
        (
            "dies while rank 0 is at something else",
            400.0,
            r"rank 0: ZeroDivisionError: what rank 0 saw; rank 1 died without a word",
        ),
        ("stalls", 12.0, r"rank 1 had not come back when it was ended \(limit 12 s\)"),
    ],
)
def test_a_rank_that_fails_is_named_and_nobody_hangs(how: str, limit: float, message: str) -> None:
    began = time.monotonic()
    with pytest.raises(RuntimeError, match=f"^of 3 ranks not all came back: .*{message}"):
        run_ranks(fails, 3, how, timeout=limit)
    # Far below the limit, and far above what a busy machine needs to start three processes.
    assert time.monotonic() - began < 200


def test_ranks_that_disagree_are_told_alike_on_each_rank() -> None:
    assert run_ranks(disagrees, 2) == ["all hold as many; rank 0 has T=4, rank 1 has T=5"] * 2


def test_no_process_and_no_time_are_refused() -> None:
    with pytest.raises(ValueError, match="num_ranks"):
        run_ranks(around, 0, 1)
    with pytest.raises(ValueError, match="timeout"):
        run_ranks(around, 1, 1, timeout=0.0)
    assert not dist.is_initialized()
