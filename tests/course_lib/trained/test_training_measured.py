"""The committed tables of the chapter on training: each row stands, and a few are made again."""

import csv
import itertools
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from course_lib.data import measure_finetuning, measure_induction, measure_scaling
from course_lib.data.measure_finetuning import drawn, loss_on, prepared, texts
from course_lib.model.decoder import Decoder
from course_lib.trained.corpus import SHAKESPEARE, SONNETS
from course_lib.trained.induction import load_induction
from course_lib.training.loss import lm_loss
from course_lib.training.models import small_rotary
from course_lib.training.recipes import INDUCTION, batch_accuracy
from course_lib.training.tasks import induction_batch


def lines(table: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert all(tuple(line) == columns for line in found)
    return found


# What is tuned on sonnets.


def test_the_texts_are_cut_between_sonnets_and_nothing_is_lost() -> None:
    read = texts()
    both = [
        bytes(read[name].tolist()) + bytes(read[f"other {name}"].tolist())
        for name in ("play", "sonnets")
    ]
    assert both == [SHAKESPEARE.read_bytes(), SONNETS.read_bytes()]
    parts = [bytes(read[name].tolist()).decode() for name in ("sonnets", "other sonnets")]
    assert [len(part.strip().split("\n\n")) for part in parts] == [15, 15]
    assert len(read["other play"]) == pytest.approx(len(read["play"]) / 9, abs=9)


@pytest.mark.usefixtures("without_annotations")
def test_the_loss_of_a_text_is_that_of_its_passages() -> None:
    model = drawn(torch.Generator().manual_seed(0))
    ids = texts()["other sonnets"][:200]
    with torch.no_grad():
        parts = [lm_loss(model(ids[None, n : n + 64]), ids[None, n : n + 64]) for n in (0, 64, 128)]
    assert loss_on(model, ids) == pytest.approx(torch.stack(parts).mean().item(), abs=1e-6)


def test_the_table_of_tuning_holds_every_kind_for_each_seed() -> None:
    found = lines(measure_finetuning.TABLE, measure_finetuning.COLUMNS)
    keys = [(line["kind"], int(line["seed"]), int(line["step"])) for line in found]
    steps, every = measure_finetuning.STEPS, measure_finetuning.EVERY
    expected = []
    for kind, seed in itertools.product(measure_finetuning.KINDS, measure_finetuning.SEEDS):
        end = steps + (measure_finetuning.BEFORE if kind == "scratch, as long" else 0)
        expected += [(kind, seed, step) for step in range(0, end + 1, every)]
    assert keys == expected
    assert len(measure_finetuning.SEEDS) >= 3


@pytest.mark.usefixtures("without_annotations")
def test_a_smaller_run_of_both_sides_comes_out_in_the_same_order() -> None:
    before = measure_finetuning.measured("the play", 0, before=60)
    scratch = measure_finetuning.measured("scratch", 0)
    assert [row[0] for row in before] == [row[0] for row in scratch] == [*range(0, 101, 20)]
    assert all(a[1] < b[1] for a, b in zip(before, scratch, strict=True))
    written = [
        float(line["sonnets"])
        for line in lines(measure_finetuning.TABLE, measure_finetuning.COLUMNS)
        if (line["kind"], line["seed"]) == ("scratch", "0")
    ]
    # Another processor sums in another order, and training amplifies that: measured, not equal.
    assert [row[1] for row in scratch] == pytest.approx(written, abs=0.1)


@pytest.mark.usefixtures("without_annotations")
def test_only_the_last_layer_learns_where_it_is_said_so() -> None:
    model = prepared("the play, last layer", 0, before=2)
    learns = {name for name, one in model.named_parameters() if one.requires_grad}
    assert learns == {"unembedding"}
    shuffled = prepared("the play, shuffled", 0, before=0)
    for name, one in drawn(torch.Generator().manual_seed(0)).named_parameters():
        assert_close(one, shuffled.get_parameter(name))  # all sides begin alike


# What followed a symbol the last time.


def test_the_table_of_induction_holds_both_depths_for_each_seed() -> None:
    found = lines(measure_induction.TABLE, measure_induction.COLUMNS)
    steps = range(0, INDUCTION.num_steps + 1, measure_induction.EVERY)
    keys = [(int(line["layers"]), int(line["seed"]), int(line["step"])) for line in found]
    assert keys == [*itertools.product((1, 2), measure_induction.SEEDS, steps)]
    last = {key: float(line["accuracy"]) for key, line in zip(keys, found, strict=True)}
    for seed in measure_induction.SEEDS:
        assert last[2, seed, INDUCTION.num_steps] > 0.95
        assert max(last[1, seed, step] for step in steps) < 0.25


@pytest.mark.usefixtures("without_annotations")
def test_the_committed_model_does_what_the_table_says_and_two_layers_are_needed() -> None:
    model = Decoder(small_rotary(32, 2, 32, 1))
    model.load_state_dict(load_induction())
    fresh = induction_batch(200, 6, 32, torch.Generator().manual_seed(3))
    assert batch_accuracy(model, fresh) > 0.98
    for layer in range(2):
        hook = model.blocks[layer].attention.register_forward_hook(
            lambda module, inputs, output: torch.zeros_like(output)
        )
        assert batch_accuracy(model, fresh) < 0.35
        hook.remove()


@pytest.mark.usefixtures("without_annotations")
def test_a_short_run_of_induction_is_made_again() -> None:
    _, found = measure_induction.measured(2, 1, steps=50)
    written = [
        float(line["loss"])
        for line in lines(measure_induction.TABLE, measure_induction.COLUMNS)
        if (line["layers"], line["seed"]) == ("2", "1") and int(line["step"]) <= 50
    ]
    assert [row[1] for row in found] == pytest.approx(written, abs=0.05)


# The loss by the width.


def test_the_table_of_widths_counts_what_the_models_have() -> None:
    found = lines(measure_scaling.TABLE, measure_scaling.COLUMNS)
    steps = range(0, measure_scaling.STEPS + 1, measure_scaling.EVERY)
    keys = [(int(line["width"]), int(line["seed"]), int(line["step"])) for line in found]
    assert keys == [*itertools.product(measure_scaling.WIDTHS, measure_scaling.SEEDS, steps)]
    for line in found:
        C = int(line["width"])
        blocks = 2 * (4 * C * C + 3 * C * 2 * C + 2 * C)
        assert int(line["in blocks"]) == blocks
        assert int(line["parameters"]) == blocks + 2 * 256 * C + C
    assert measure_scaling.counts(measure_scaling.drawn(8, 0)) == (5_416, 1_312)


@pytest.mark.usefixtures("without_annotations")
def test_a_short_run_of_the_narrowest_is_made_again() -> None:
    found = measure_scaling.measured(8, 0, steps=50)
    written = [
        float(line["loss"])
        for line in lines(measure_scaling.TABLE, measure_scaling.COLUMNS)
        if (line["width"], line["seed"]) == ("8", "0") and int(line["step"]) <= 50
    ]
    assert [loss for _, loss in found] == pytest.approx(written, abs=0.05)
