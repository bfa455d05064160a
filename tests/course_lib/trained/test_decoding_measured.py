"""The committed times of decoding: every row is there, and their order is measured again."""

import csv

import pytest
import torch

from course_lib.data.measure_decoding import (
    COLUMNS,
    GROUPS,
    KEYS,
    LENGTHS,
    PASSES,
    TABLE,
    kept_times,
    token_times,
)


def rows() -> dict[tuple[str, str, int], float]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert all(tuple(line) == COLUMNS for line in lines)
    return {
        (line["what"], line["kind"], int(line["tokens"])): float(line["milliseconds"])
        for line in lines
    }


def test_the_table_holds_every_row() -> None:
    kinds = [f"G = {G}" for G in GROUPS] + ["latent, absorbed", "latent, keys made anew"]
    assert rows().keys() == {
        *(("a token", kind, n) for kind in ("with a cache", "without") for n in LENGTHS),
        *(("a layer reads", kind, KEYS) for kind in kinds),
        *(("a pass", "with a cache", n) for n in PASSES),
    }


@pytest.mark.usefixtures("without_annotations", "one_thread")
def test_a_token_with_a_cache_is_far_cheaper_and_one_head_is_read_faster_than_many() -> None:
    """The processor's own time, which a busy machine does not change much; wide limits."""
    times = token_times(512)
    assert times["without"] > 3 * times["with a cache"]
    times = kept_times(1024)
    assert times["G = 32"] > 1.5 * times["G = 1"]
    assert times["latent, keys made anew"] > 3 * times["latent, absorbed"]


@pytest.fixture
def one_thread() -> None:
    torch.set_num_threads(1)
