"""The committed table of merged heads: every run is there, and a smaller one is made again."""

import csv
import itertools

import pytest
import torch

from course_lib.attention.grouped import grouped_query_attention
from course_lib.data.measure_grouping import (
    COLUMNS,
    GROUPS,
    HEADS,
    SEEDS,
    TABLE,
    WAYS,
    convert,
    grouped_config,
    measured,
    merged,
)
from course_lib.training.models import draw_decoder


def rows() -> dict[tuple[str, int, int], tuple[float, float]]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert all(tuple(line) == COLUMNS for line in lines)
    return {
        (line["way"], int(line["G"]), int(line["seed"])): (
            float(line["before"]),
            float(line["after"]),
        )
        for line in lines
    }


def test_the_table_holds_each_way_for_each_seed_and_the_model_with_all_heads() -> None:
    converted = set(itertools.product(WAYS, GROUPS, SEEDS))
    assert rows().keys() == converted | {("all heads", HEADS, seed) for seed in SEEDS}
    assert len(SEEDS) >= 3


def test_where_the_heads_of_a_group_are_alike_mean_and_first_change_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    one = torch.randn(5, 4, 3, generator=generator)  # C G D
    alike = one[:, :, None].expand(5, 4, 2, 3).flatten(1)
    for way in ("mean", "first"):
        torch.testing.assert_close(merged(alike, 4, way, generator), one.flatten(1))
    query, key = torch.randn(1, 8, 2, 3), torch.randn(1, 4, 2, 3)
    shared = grouped_query_attention(query, key, key)
    each = grouped_query_attention(query, *[key.repeat_interleave(2, 1)] * 2)
    torch.testing.assert_close(shared, each)


@pytest.mark.parametrize("way", WAYS)
def test_a_conversion_changes_keys_and_values_alone(way: str) -> None:
    generator = torch.Generator().manual_seed(0)
    model = draw_decoder(grouped_config(HEADS), generator)
    before = {name: w.clone() for name, w in model.state_dict().items()}
    smaller = convert(model, 2, way, generator).state_dict()
    for name, w in before.items():
        torch.testing.assert_close(model.state_dict()[name], w)
        if name.endswith((".w_k", ".w_v")):
            assert smaller[name].shape == (64, 16)
        else:
            torch.testing.assert_close(smaller[name], w)


@pytest.mark.usefixtures("without_annotations")
def test_a_few_steps_show_new_heads_behind_the_mean() -> None:
    # Another processor sums in another order, and training amplifies that: an order, no numbers.
    found = measured(0, steps=40, more=3, groups=(4,))
    assert set(found) == {("all heads", HEADS), *((way, 4) for way in WAYS)}
    assert found["mean", 4][1] < found["random", 4][1]
