"""Write ``scaling.csv``: the loss of decoders of four widths, on the way and at the end.

Run from the repository's root; all rows take half a minute of one core::

    python course_lib/data/measure_scaling.py

All read the first nine tenths of "Julius Caesar", byte by byte, 8 passages of 64 bytes a step and
about as many bytes as there are, with the same learning rate, and are measured on the last tenth.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.data.measure_finetuning import loss_on, passages, texts
from course_lib.model.decoder import Decoder
from course_lib.model.initialise import num_parameters
from course_lib.training.batch import Batch
from course_lib.training.loop import Optimisation, train
from course_lib.training.models import draw_decoder, small_rotary
from course_lib.training.recipes import batch_loss

WIDTHS = (8, 12, 16, 24)
SEEDS = (0, 1, 2)
STEPS, EVERY = 200, 50
COLUMNS = ("width", "parameters", "in blocks", "seed", "step", "loss")
TABLE = Path(__file__).with_name("scaling.csv")


def drawn(width: int, seed: int) -> Decoder:
    """Draw a decoder of bytes with two layers of two heads.

    Args:
        width: C.
        seed: decides the first weights.

    Returns:
        The decoder.
    """
    return draw_decoder(small_rotary(256, 2, width, 2), torch.Generator().manual_seed(seed))


def counts(model: Decoder) -> tuple[int, int]:
    """Count a decoder's parameters in two ways.

    Args:
        model: the decoder.

    Returns:
        All parameters, and those in its blocks: without the tables of bytes.
    """
    return num_parameters(model), num_parameters(model.blocks)


def measured(width: int, seed: int, steps: int = STEPS) -> list[tuple[int, float]]:
    """Train one decoder and measure it on the way.

    Args:
        width: C.
        seed: decides the first weights and all passages.
        steps: how many.

    Returns:
        For every ``EVERY``-th step the loss on the rest of the play, in nats a byte.
    """
    read = texts()
    model = drawn(width, seed)
    generator = torch.Generator().manual_seed(100 + seed)  # the same passages for all widths
    found: list[tuple[int, float]] = []

    def loss(model: Decoder, batch: Batch) -> Float[Tensor, ""]:
        return batch_loss(model, batch)

    def batches() -> Iterator[Batch]:
        for step, batch in enumerate(passages(read["play"], generator)):
            if step % EVERY == 0:
                found.append((step, round(loss_on(model, read["other play"]), 4)))
            yield batch

    optimisation = Optimisation(learning_rate=3e-3, warmup_steps=20)
    train(model, batches(), loss, steps, optimisation, show_progress=False)
    return [*found, (steps, round(loss_on(model, read["other play"]), 4))]


def main() -> None:
    """Measure all rows and write the table."""
    torch.set_num_threads(1)
    rows = []
    for width in WIDTHS:
        for seed in SEEDS:
            sizes = counts(drawn(width, seed))
            rows += [(width, *sizes, seed, *one) for one in measured(width, seed)]
            print(*rows[-1], flush=True)
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])


if __name__ == "__main__":
    main()
