"""Write ``finetuning.csv``: sonnets learnt from scratch, and by models that learnt a play before.

Run from the repository's root; all rows take three minutes of one core::

    python course_lib/data/measure_finetuning.py

All models are small decoders of bytes of one shape and have the same learning rate, and a step
reads 8 passages of 64 bytes. They are tuned on the first fifteen sonnets of ``sonnets.txt`` and
measured on the others. What goes before is one of these:

- nothing (``scratch``);
- nothing, and the steps of a pre-training are spent on the sonnets too (``scratch, as long``);
- "Julius Caesar", its last tenth kept for measuring (``the play``);
- the same bytes in a random order (``the play, shuffled``);
- "Julius Caesar", and afterwards only the unembedding learns (``the play, last layer``).
"""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.model.decoder import Decoder
from course_lib.trained.corpus import SHAKESPEARE, SONNETS
from course_lib.training.batch import Batch
from course_lib.training.loop import Optimisation, train
from course_lib.training.models import draw_decoder, small_rotary
from course_lib.training.recipes import batch_loss
from course_lib.training.text import text_batch

KINDS = (
    "scratch",
    "scratch, as long",
    "the play",
    "the play, shuffled",
    "the play, last layer",
)
SEEDS = (0, 1, 2)
#: Steps on the play, steps on the sonnets, and how often the loss is measured.
BEFORE, STEPS, EVERY = 300, 100, 20
COLUMNS = ("kind", "seed", "step", "sonnets", "play")
TABLE = Path(__file__).with_name("finetuning.csv")
_OPTIMISATION = Optimisation(learning_rate=3e-3, warmup_steps=20)

Texts = dict[str, Int[Tensor, " _"]]


def texts() -> Texts:
    """Read the play and the sonnets as bytes, each cut in a part to learn and a part to measure.

    Returns:
        "play" and "sonnets" to learn from, "other play" and "other sonnets" to measure on.
    """
    play, sonnets = (torch.tensor(list(path.read_bytes())) for path in (SHAKESPEARE, SONNETS))
    end = 9 * len(play) // 10
    half = SONNETS.read_text(encoding="utf-8").split("\n\n")[:15]
    middle = len("\n\n".join(half).encode()) + 2
    return {
        "play": play[:end],
        "other play": play[end:],
        "sonnets": sonnets[:middle],
        "other sonnets": sonnets[middle:],
    }


def drawn(generator: torch.Generator) -> Decoder:
    """Draw a small decoder of bytes.

    Args:
        generator: where the randomness comes from.

    Returns:
        Two layers of four heads, 64 wide.
    """
    return draw_decoder(small_rotary(256, 2, 64, 4), generator)


def passages(ids: Int[Tensor, " _"], generator: torch.Generator) -> Iterator[Batch]:
    """Cut batches of passages out of a text, without end.

    Args:
        ids: the text.
        generator: where the randomness comes from.

    Yields:
        8 passages of 64 bytes.
    """
    while True:
        yield text_batch(ids, 8, 64, generator)


def loss_on(model: Decoder, ids: Int[Tensor, " _"]) -> float:
    """Measure the loss on all of a text, in passages of 64 bytes side by side.

    Args:
        model: a decoder of bytes.
        ids: the text; what does not fill a passage at its end is left out.

    Returns:
        The mean surprise, in nats a byte.
    """
    rows = ids[: len(ids) // 64 * 64].view(-1, 64)
    with torch.no_grad():
        return batch_loss(model, Batch(inputs=(rows,), targets=rows)).item()


def learn(
    model: Decoder,
    ids: Int[Tensor, " _"],
    steps: int,
    generator: torch.Generator,
    measure: Callable[[int], None] | None = None,
) -> None:
    """Train a model on a text.

    Args:
        model: what is trained, but for parameters that require no gradient.
        ids: the text.
        steps: how many.
        generator: where the passages come from.
        measure: called with the number of steps made, before every ``EVERY``-th; None: never.
    """
    made = 0

    def loss(model: Decoder, batch: Batch) -> Float[Tensor, ""]:
        nonlocal made
        if measure is not None and made % EVERY == 0:
            measure(made)
        made += 1
        return batch_loss(model, batch)

    train(model, passages(ids, generator), loss, steps, _OPTIMISATION, show_progress=False)


def prepared(kind: str, seed: int, before: int = BEFORE) -> Decoder:
    """Draw a model and let it learn what goes before the sonnets.

    Args:
        kind: one of ``KINDS``.
        seed: decides the first weights and all passages.
        before: steps on the play.

    Returns:
        The model; of "last layer" only the unembedding still learns.
    """
    generator = torch.Generator().manual_seed(seed)
    model = drawn(generator)
    play = texts()["play"]
    if kind == "the play, shuffled":
        play = play[torch.randperm(len(play), generator=generator)]
    if kind.startswith("the play"):
        learn(model, play, before, generator)
    if kind == "the play, last layer":
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name.startswith("unembedding"))
    return model


def measured(kind: str, seed: int, before: int = BEFORE) -> list[tuple[int, float, float]]:
    """Train one model and measure it on the way.

    Args:
        kind: one of ``KINDS``.
        seed: decides the first weights and all passages.
        before: steps on the play.

    Returns:
        For every ``EVERY``-th step on the sonnets the losses on the other sonnets and on the rest
        of the play, in nats a byte.
    """
    found = []
    read = texts()
    model = prepared(kind, seed, before)

    def measure(step: int) -> None:
        sonnets, play = (loss_on(model, read[f"other {name}"]) for name in ("sonnets", "play"))
        found.append((step, round(sonnets, 3), round(play, 3)))

    steps = STEPS + before if kind == "scratch, as long" else STEPS
    generator = torch.Generator().manual_seed(1000 + seed)
    learn(model, read["sonnets"], steps, generator, measure)
    measure(steps)
    return found


def main() -> None:
    """Measure all rows and write the table."""
    torch.set_num_threads(1)
    rows = []
    for kind in KINDS:
        for seed in SEEDS:
            rows += [(kind, seed, *one) for one in measured(kind, seed)]
            print(*rows[-1], flush=True)
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])


if __name__ == "__main__":
    main()
