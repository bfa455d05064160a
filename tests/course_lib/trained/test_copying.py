"""The committed table of copies: each row stands, and a short one is measured again."""

import csv
import itertools

import pytest

from course_lib.data.measure_copying import COLUMNS, LENGTHS, MODELS, SEEDS, TABLE, copied


def rows() -> dict[tuple[str, int, int, int], float]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert all(tuple(line) == COLUMNS for line in lines)
    return {
        (line["model"], int(line["units"]), int(line["length"]), int(line["seed"])): float(
            line["accuracy"]
        )
        for line in lines
    }


def test_the_table_holds_every_model_length_and_seed() -> None:
    every = itertools.product(MODELS, LENGTHS, SEEDS)
    assert rows().keys() == {(*model, length, seed) for model, length, seed in every}
    assert all(1 / 8 < share <= 1 for share in rows().values())


def test_one_vector_loses_long_sequences_and_attention_does_not() -> None:
    at_30 = {key: share for key, share in rows().items() if key[2] == 30}
    for (model, *_), share in at_30.items():
        assert share >= 0.95 if model == "attention" else share < 0.5


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize("length", [2, 4])
def test_a_short_row_is_measured_again(length: int) -> None:
    # Another processor sums in another order, and training amplifies that: measured, not equal.
    assert copied("one vector", 16, length, 0) == pytest.approx(
        rows()["one vector", 16, length, 0], abs=0.1
    )
