"""Write ``induction.csv`` and ``induction.npz``: what followed a symbol the last time.

Run from the repository's root; a run takes about twenty seconds of one core, all of them two
minutes::

    python course_lib/data/measure_induction.py

The task is ``induction_batch``: six pairs of symbols, then the same pairs in another order.
Decoders of one layer and of two, of one head each, get the same batches and the same number of
steps. The array holds the parameters of the first run of two layers.
"""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from course_lib.trained.induction import INDUCTION_MODEL
from course_lib.training.batch import Batch
from course_lib.training.loop import train
from course_lib.training.recipes import (
    INDUCTION,
    INDUCTION_IN_ONE_LAYER,
    batch_accuracy,
    batch_loss,
)
from course_lib.training.tasks import induction_batch

RECIPES = {1: INDUCTION_IN_ONE_LAYER, 2: INDUCTION}
SEEDS = (0, 1, 2)
EVERY = 25
COLUMNS = ("layers", "seed", "step", "loss", "accuracy")
TABLE = Path(__file__).with_name("induction.csv")

Row = tuple[int, float, float]


def measured(layers: int, seed: int, steps: int | None = None) -> tuple[nn.Module, list[Row]]:
    """Train one decoder and measure it on the way.

    Args:
        layers: 1 or 2.
        seed: decides the first weights and all batches.
        steps: how many; None means those of the recipe.

    Returns:
        The model, and for every ``EVERY``-th step the loss on 256 other sequences and the share of
        their asked symbols that the model puts first.
    """
    recipe = RECIPES[layers]
    count = recipe.num_steps if steps is None else steps
    # The same batches for one layer and for two.
    model = recipe.make_model(torch.Generator().manual_seed(seed))
    generator = torch.Generator().manual_seed(100 + seed)
    others = induction_batch(256, 6, 32, torch.Generator().manual_seed(1000))
    rows: list[Row] = []

    def measure(step: int) -> None:
        with torch.no_grad():
            loss = batch_loss(model, others).item()
        rows.append((step, round(loss, 3), round(batch_accuracy(model, others), 3)))

    made = 0

    def loss(model: nn.Module, batch: Batch) -> Float[Tensor, ""]:
        nonlocal made
        if made % EVERY == 0:
            measure(made)
        made += 1
        return batch_loss(model, batch)

    batches = (recipe.make_batch(generator) for _ in range(count))
    train(model, batches, loss, count, recipe.optimisation, show_progress=False)
    measure(count)
    return model, rows


def main() -> None:
    """Measure all rows, write the table and one model."""
    torch.set_num_threads(1)
    rows = []
    for layers in RECIPES:
        for seed in SEEDS:
            model, found = measured(layers, seed)
            rows += [(layers, seed, *one) for one in found]
            print(*rows[-1], flush=True)
            if (layers, seed) == (2, 0):
                arrays: dict[str, Any] = {
                    name: one.half().numpy() for name, one in model.state_dict().items()
                }
                np.savez_compressed(INDUCTION_MODEL, **arrays)
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])


if __name__ == "__main__":
    main()
