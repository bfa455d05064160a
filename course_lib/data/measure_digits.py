"""Write ``reading_digits.csv``: how often small vision Transformers read a handwritten digit.

Run from the repository's root; a row takes a few seconds of one core, all of them three minutes::

    python course_lib/data/measure_digits.py

All learn from the first images of ``digits.npz`` and are measured on the last 450, which no model
sees. Side by side with the Transformer stand two controls: its patches in another order, the same
for all images, and no positions; and a reader that is not trained at all, which says what the
nearest image shows.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.config.encoder import EncoderConfig, VisionConfig
from course_lib.config.feed_forward import PlainFeedForwardConfig
from course_lib.config.norms import LayerNormConfig
from course_lib.layers.activations import gelu
from course_lib.model.initialise import initialise
from course_lib.model.vision import VisionTransformer
from course_lib.trained.digits import load_digits
from course_lib.training.loop import Optimisation, train

KINDS = ("ViT", "patches moved", "no positions")
NEAREST = "nearest image"
LEARNT = (100, 300, 1347)
SEEDS = (0, 1, 2)
STEPS = 500
COLUMNS = ("kind", "learnt", "seed", "accuracy")
TABLE = Path(__file__).with_name("reading_digits.csv")

Images = Float[Tensor, "B 1 8 8"]


@dataclass(frozen=True, slots=True)
class Digits:
    """Images with what they show, to learn from or to measure on."""

    images: Images
    labels: Int[Tensor, " B"]


def split(learnt: int) -> tuple[Digits, Digits]:
    """Return the first images, to learn from, and the last 450.

    Args:
        learnt: how many images to learn from, at most 1347.

    Returns:
        Both.
    """
    images, labels = load_digits()
    return Digits(images[:learnt], labels[:learnt]), Digits(images[-450:], labels[-450:])


def moved(images: Images) -> Images:
    """Put the sixteen patches of every image in the same other order.

    Args:
        images: the images.

    Returns:
        The images, in which no patch stands where it stood beside its neighbours.
    """
    order = torch.randperm(16, generator=torch.Generator().manual_seed(0))
    cut = images.reshape(-1, 4, 2, 4, 2).transpose(2, 3).reshape(-1, 16, 2, 2)[:, order]
    return cut.reshape(-1, 4, 4, 2, 2).transpose(2, 3).reshape(-1, 1, 8, 8)


def small_vision(generator: torch.Generator) -> VisionTransformer:
    """Draw a vision Transformer for the digits.

    Args:
        generator: where the randomness comes from.

    Returns:
        Two layers of four heads, 32 wide; 16 patches of 2 x 2 pixels.
    """
    layers = EncoderConfig(
        d_model=32,
        num_heads=4,
        head_dim=8,
        num_layers=2,
        feed_forward=PlainFeedForwardConfig(d_ff=64, activation=gelu, has_bias=True),
        norm=LayerNormConfig(),
        has_bias=True,
    )
    config = VisionConfig(image_size=8, patch_size=2, num_channels=1, num_classes=10, layers=layers)
    model = VisionTransformer(config)
    initialise(model, generator, std=layers.d_model**-0.5)
    return model


def read_digits(kind: str, learnt: int, seed: int, steps: int = STEPS) -> VisionTransformer:
    """Train a vision Transformer.

    Args:
        kind: one of ``KINDS``.
        learnt: how many images to learn from.
        seed: decides the first weights and all batches.
        steps: how many; each reads 64 images.

    Returns:
        The model.
    """
    known, _ = split(learnt)
    images = moved(known.images) if kind == "patches moved" else known.images
    generator = torch.Generator().manual_seed(seed)
    model = small_vision(generator)
    if kind == "no positions":
        model.positions.data.zero_()
        model.positions.requires_grad_(False)

    def loss(model: VisionTransformer, rows: Int[Tensor, " _"]) -> Float[Tensor, ""]:
        return torch.nn.functional.cross_entropy(model(images[rows]), known.labels[rows])

    batches = (torch.randint(learnt, (64,), generator=generator) for _ in range(steps))
    optimisation = Optimisation(learning_rate=3e-3, warmup_steps=50, weight_decay=0.1)
    train(model, batches, loss, steps, optimisation, show_progress=False)
    return model


def accuracy(kind: str, model: VisionTransformer) -> float:
    """Measure how often a model is right about the last 450 images.

    Args:
        kind: one of ``KINDS``.
        model: the model.

    Returns:
        The share.
    """
    _, others = split(1)
    images = moved(others.images) if kind == "patches moved" else others.images
    with torch.no_grad():
        return float((model(images).argmax(-1) == others.labels).double().mean())


def nearest_accuracy(learnt: int) -> float:
    """Measure how often the nearest image shows the same digit.

    Args:
        learnt: how many images there are to compare with.

    Returns:
        The share of the last 450 images.
    """
    known, others = split(learnt)
    far = torch.cdist(others.images.flatten(1), known.images.flatten(1))
    return (known.labels[far.argmin(1)] == others.labels).double().mean().item()


def main() -> None:
    """Measure all rows and write the table."""
    torch.set_num_threads(1)
    rows: list[tuple[str, int, int, float]] = []
    for learnt in LEARNT:
        rows.append((NEAREST, learnt, 0, round(nearest_accuracy(learnt), 4)))
        for kind in KINDS:
            for seed in SEEDS:
                share = accuracy(kind, read_digits(kind, learnt, seed))
                rows.append((kind, learnt, seed, round(share, 4)))
                print(*rows[-1], flush=True)
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])


if __name__ == "__main__":
    main()
