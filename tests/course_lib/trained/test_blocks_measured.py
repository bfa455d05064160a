"""The committed table of trained blocks: each row stands, and a few are measured again."""

import csv
import itertools

import pytest
import torch

from course_lib.data.measure_blocks import (
    ARRANGEMENTS,
    COLUMNS,
    DEPTHS,
    QK_NORMS,
    RATES,
    SEEDS,
    TABLE,
    drawn,
    measured,
)

Key = tuple[str, int, str, float, int, int]


def rows() -> dict[Key, tuple[float, float]]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert all(tuple(line) == COLUMNS for line in lines)
    return {
        (
            line["kind"],
            int(line["layers"]),
            line["first"],
            float(line["learning_rate"]),
            int(line["warm_up"]),
            int(line["seed"]),
        ): (float(line["loss"]), float(line["largest_score"]))
        for line in lines
    }


def test_the_table_holds_both_sides_of_each_comparison_for_each_seed() -> None:
    depths = [
        (kind, *depth, seed) for kind, depth, seed in itertools.product(ARRANGEMENTS, DEPTHS, SEEDS)
    ]
    rates = [
        (kind, 2, "scaled", rate, 0, seed)
        for kind, rate, seed in itertools.product(QK_NORMS, RATES, SEEDS)
    ]
    assert rows().keys() == {*depths, *rates}
    assert len(SEEDS) >= 3


def test_first_weights_are_equal_or_scaled() -> None:
    """Twelve layers write 24 times: scaled first weights are smaller by the root of 24."""
    pair = [
        drawn("pre-norm", 12, first, torch.Generator().manual_seed(0)).state_dict()
        for first in ("equal", "scaled")
    ]
    for name in pair[0]:
        is_writer = name.endswith(("w_o", "w_down"))
        factor = 24**0.5 if is_writer else 1.0
        torch.testing.assert_close(pair[0][name], factor * pair[1][name])


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize("kind", QK_NORMS)
def test_a_short_row_is_measured_again(kind: str) -> None:
    # Another processor sums in another order, and training amplifies that: measured, not equal.
    loss, largest = measured(kind, 2, "scaled", RATES[1], 0, 0)
    expected, score = rows()[kind, 2, "scaled", RATES[1], 0, 0]
    assert loss == pytest.approx(expected, abs=0.1)
    assert (largest > 40) == (score > 40) == (kind == "no QK-norm")
