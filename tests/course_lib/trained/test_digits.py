"""The committed digits are scikit-learn's, to the last number, and what was measured on them."""

import csv
import hashlib
import itertools

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from course_lib.data.extract_digits import SHA256, as_text, extract
from course_lib.data.measure_digits import (
    COLUMNS,
    KINDS,
    LEARNT,
    NEAREST,
    SEEDS,
    TABLE,
    accuracy,
    moved,
    nearest_accuracy,
    read_digits,
    split,
)
from course_lib.model.vision import patches
from course_lib.trained.digits import DIGITS, load_digits


def test_the_text_of_scikit_learns_file_is_written_again() -> None:
    with np.load(DIGITS) as arrays:
        images, labels = arrays["images"], arrays["labels"]
    text = as_text(images, labels)
    assert hashlib.sha256(text.encode()).hexdigest() == SHA256
    again = extract(text)
    assert (again[0] == images).all()
    assert (again[1] == labels).all()
    with pytest.raises(ValueError, match=f"the hash {SHA256}; this one has [0-9a-f]+"):
        extract(text.replace("16", "15", 1))


def test_images_are_small_and_grey_and_all_digits_come() -> None:
    images, labels = load_digits()
    assert images.shape == (1797, 1, 8, 8)
    assert (images.min(), images.max()) == (0, 1)
    assert_close(images * 16, (images * 16).round())
    assert labels.bincount().tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_moved_patches_are_the_same_patches_in_another_order() -> None:
    images, _ = load_digits()
    before, after = patches(images[:7], 2), patches(moved(images[:7]), 2)
    order = torch.randperm(16, generator=torch.Generator().manual_seed(0))
    assert_close(after, before[:, order])
    assert not torch.equal(order, torch.arange(16))


def test_what_is_learnt_and_what_is_measured_do_not_overlap() -> None:
    known, others = split(1347)
    assert (len(known.labels), len(others.labels)) == (1347, 450)
    assert len(split(100)[0].labels) == 100
    images, _ = load_digits()
    assert_close(torch.cat([known.images, others.images]), images)


def rows() -> dict[tuple[str, int, int], float]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert all(tuple(line) == COLUMNS for line in lines)
    return {
        (line["kind"], int(line["learnt"]), int(line["seed"])): float(line["accuracy"])
        for line in lines
    }


def test_the_table_holds_every_kind_for_each_seed() -> None:
    assert rows().keys() == {
        *itertools.product(KINDS, LEARNT, SEEDS),
        *((NEAREST, learnt, 0) for learnt in LEARNT),
    }
    assert len(SEEDS) >= 3


@pytest.mark.usefixtures("without_annotations")
def test_the_nearest_images_are_measured_again_and_a_shorter_training_agrees() -> None:
    found = rows()
    for learnt in LEARNT:
        assert nearest_accuracy(learnt) == pytest.approx(found[NEAREST, learnt, 0], abs=1e-4)
    shares = {kind: accuracy(kind, read_digits(kind, 100, 0, steps=120)) for kind in KINDS}
    assert min(shares["ViT"], shares["patches moved"]) > shares["no positions"] + 0.1
    assert shares["ViT"] < found[NEAREST, 100, 0]
