"""Write ``reversers.npz``: two networks that learnt to write a word backwards, on one budget.

Run from the repository's root; it takes a minute of one core::

    python course_lib/data/train_reversers.py

Both networks have as many units and see as many words in as many steps, from the same seed.
The digits depend on the processor, so the arrays are committed and the tests ask for bands.
"""

import numpy as np
import torch

from course_lib.trained.reversers import DATA, NUM_UNITS, REVERSERS, START_ID, VOCAB_SIZE
from course_lib.training.batch import Batch
from course_lib.training.loop import Optimisation, train
from course_lib.training.models import draw_seq2seq
from course_lib.training.recipes import batch_accuracy, batch_loss
from course_lib.training.tasks import START, reverse_batch

#: Words of twelve random letters, 32 of them a step: the task that both networks learn.
LENGTH, BATCH, SEED = 12, 32, 0
#: Steps and their size: a long walk, and a short one with small steps.
WALKS = (
    (900, Optimisation(learning_rate=8e-3, warmup_steps=50)),
    (250, Optimisation(learning_rate=1e-3)),
)


def words(generator: torch.Generator) -> Batch:
    """Draw words of random letters; the target is each word backwards."""
    return reverse_batch(BATCH, LENGTH, VOCAB_SIZE, generator)


def trained(name: str) -> torch.nn.Module:
    """Draw one of the two networks and train it."""
    generator = torch.Generator().manual_seed(SEED)
    model = draw_seq2seq(REVERSERS[name], VOCAB_SIZE, NUM_UNITS, generator)
    for num_steps, optimisation in WALKS:
        batches = iter(lambda: words(generator), None)
        train(model, batches, batch_loss, num_steps, optimisation, show_progress=False)
    print(f"{name}: {batch_accuracy(model, words(generator)):.3f} of the letters")
    return model


def main() -> None:
    """Train both and write their parameters, in half precision: the file stays small."""
    if START != START_ID:
        raise ValueError(f"a target begins with {START}, and the networks were told {START_ID}")
    arrays = {}
    for name in REVERSERS:
        for key, parameter in trained(name).state_dict().items():
            arrays[f"{name}/{key}"] = parameter.numpy().astype(np.float16)
    np.savez_compressed(DATA, **arrays)


if __name__ == "__main__":
    main()
