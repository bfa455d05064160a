"""Write ``grouping.csv``: a trained decoder's heads merged into groups in three ways, and tuned.

Run from the repository's root; each seed takes about a minute::

    python course_lib/data/measure_grouping.py

A decoder with eight key and value heads a layer reads a play, byte by byte. Then its key and value
heads become G = 4, 2 or 1: the mean of each group, its first head, or heads that are drawn anew.
Each of these models, and the one with eight heads, is then trained for one twentieth of the steps
on the same passages.
"""

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.attention.grouped import mha_to_gqa
from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.decoder import DecoderConfig
from course_lib.model.decoder import Decoder
from course_lib.trained.corpus import SHAKESPEARE
from course_lib.training.batch import Batch
from course_lib.training.loop import Optimisation, train
from course_lib.training.models import draw_decoder, small_rotary
from course_lib.training.recipes import batch_loss
from course_lib.training.text import text_batch

WAYS = ("mean", "first", "random")
GROUPS = (4, 2, 1)
HEADS, WIDTH, LAYERS = 8, 64, 2
STEPS, MORE, SEEDS = 1000, 50, (0, 1, 2, 3)
RATE = 3e-3
COLUMNS = ("way", "G", "seed", "before", "after")
TABLE = Path(__file__).with_name("grouping.csv")


def grouped_config(G: int) -> DecoderConfig:
    """Put the decoder together.

    Args:
        G: key and value heads of each layer.

    Returns:
        The configuration.
    """
    config = small_rotary(256, LAYERS, WIDTH, HEADS)
    layer = config.layers[0]
    assert isinstance(layer.attention, CausalAttentionConfig)
    layer = replace(layer, attention=replace(layer.attention, num_kv_heads=G))
    return replace(config, layers=(layer,) * LAYERS)


def merged(
    w: Float[Tensor, "C _"], G: int, way: str, generator: torch.Generator
) -> Float[Tensor, "C _"]:
    """Make the projection of G heads from that of ``HEADS``.

    Args:
        w: the projection into keys or values.
        G: heads afterwards.
        way: one of ``WAYS``.
        generator: where new numbers come from.

    Returns:
        The projection; what is drawn anew has the deviation that first weights have.
    """
    if way == "mean":
        return mha_to_gqa(w, G, HEADS)
    heads: Tensor = torch.unflatten(w, -1, (G, HEADS // G, -1))[:, :, 0]  # C G D
    if way == "random":
        heads = torch.randn(heads.shape, generator=generator) * len(w) ** -0.5
    return heads.flatten(-2)


def convert(model: Decoder, G: int, way: str, generator: torch.Generator) -> Decoder:
    """Make a decoder with G key and value heads of one with ``HEADS``.

    Args:
        model: the trained decoder.
        G: heads afterwards.
        way: one of ``WAYS``.
        generator: where new numbers come from.

    Returns:
        A new decoder; only W_K and W_V differ.
    """
    parameters = {
        name: merged(w, G, way, generator) if name.endswith((".w_k", ".w_v")) else w
        for name, w in model.state_dict().items()
    }
    smaller = Decoder(grouped_config(G))
    smaller.load_state_dict(parameters)
    return smaller


def trained(model: Decoder, steps: int, rate: float, generator: torch.Generator) -> None:
    """Train a decoder in place.

    Args:
        model: the decoder.
        steps: batches of 16 passages with 48 bytes.
        rate: the learning rate.
        generator: decides the passages.
    """
    ids = torch.tensor(list(SHAKESPEARE.read_bytes()))
    batches = (text_batch(ids, 16, 48, generator) for _ in range(steps))
    train(model, batches, batch_loss, steps, Optimisation(learning_rate=rate), show_progress=False)


def loss_of(model: Decoder) -> float:
    """Measure the loss on passages that are always the same, in nats a byte."""
    ids = torch.tensor(list(SHAKESPEARE.read_bytes()))
    batch: Batch = text_batch(ids, 256, 48, torch.Generator().manual_seed(1000))
    with torch.no_grad():
        return round(batch_loss(model, batch).item(), 3)


def measured(
    seed: int, steps: int = STEPS, more: int = MORE, groups: Sequence[int] = GROUPS
) -> dict[tuple[str, int], list[float]]:
    """Train one decoder with all heads, make the others of it, and train each a little more.

    Args:
        seed: decides first weights and passages.
        steps: of the first training.
        more: of the second one.
        groups: key and value heads afterwards.

    Returns:
        The loss before and after the second training, by way and G.
    """
    generator = torch.Generator().manual_seed(seed)
    whole = draw_decoder(grouped_config(HEADS), generator)
    trained(whole, steps, RATE, generator)
    models = {
        (way, G): convert(whole, G, way, torch.Generator().manual_seed(100 + seed))
        for G in groups
        for way in WAYS
    }
    found = {}
    for key, model in {("all heads", HEADS): whole, **models}.items():
        before = loss_of(model)
        trained(model, more, RATE / 3, torch.Generator().manual_seed(200 + seed))
        found[key] = [before, loss_of(model)]
    return found


def main() -> None:
    """Measure all rows and write the table."""
    torch.set_num_threads(1)
    rows = []
    for seed in SEEDS:
        for (way, G), losses in measured(seed).items():
            rows.append((way, G, seed, *losses))
            print(*rows[-1], flush=True)
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])


if __name__ == "__main__":
    main()
