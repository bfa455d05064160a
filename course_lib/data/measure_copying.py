"""Write ``copying.csv``: how much of a random sequence an encoder-decoder copies, by its length.

Run from the repository's root; each row takes some seconds, all of them about ten minutes::

    python course_lib/data/measure_copying.py

The budget is that of the recipe ``SEQ2SEQ_COPY`` whatever the length: 450 batches of 32 sequences.
"""

import csv
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from course_lib.recurrence.seq2seq import RecurrentEncoderDecoder
from course_lib.recurrence.seq2seq_attention import AttentionEncoderDecoder
from course_lib.training.models import draw_seq2seq
from course_lib.training.recipes import SEQ2SEQ_COPY, batch_accuracy, follow
from course_lib.training.tasks import copy_batch

KINDS = {"one vector": RecurrentEncoderDecoder, "attention": AttentionEncoderDecoder}
#: How the decoder gets at the source, and the units N of its state.
MODELS = (("one vector", 16), ("one vector", 32), ("one vector", 64), ("attention", 32))
LENGTHS = (2, 4, 6, 8, 12, 16, 24, 30)
SEEDS = (0, 1)
#: Eight symbols, padding and the start: three bits a symbol.
VOCAB_SIZE = 10
COLUMNS = ("model", "units", "length", "seed", "accuracy")
TABLE = Path(__file__).with_name("copying.csv")


def copied(kind: str, units: int, length: int, seed: int) -> float:
    """Train a model to copy sequences of one length, and test it on sequences that are new.

    Args:
        kind: a key of ``KINDS``.
        units: N.
        length: the symbols of a sequence.
        seed: decides the first weights and all batches.

    Returns:
        The share of right symbols, each said after the right ones before it.
    """
    recipe = replace(
        SEQ2SEQ_COPY,
        make_model=partial(draw_seq2seq, KINDS[kind], VOCAB_SIZE, units),
        make_batch=partial(copy_batch, 32, length, VOCAB_SIZE),
    )
    model = follow(recipe, seed, show_progress=False).model
    fresh = copy_batch(256, length, VOCAB_SIZE, torch.Generator().manual_seed(1000 + seed))
    return round(batch_accuracy(model, fresh), 3)


def main() -> None:
    """Measure all rows and write the table."""
    torch.set_num_threads(1)
    rows = []
    for kind, units in MODELS:
        for seed in SEEDS:
            for length in LENGTHS:
                rows.append((kind, units, length, seed, copied(kind, units, length, seed)))
                print(*rows[-1], flush=True)
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])


if __name__ == "__main__":
    main()
