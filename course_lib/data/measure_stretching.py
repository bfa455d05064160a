"""Write ``stretching.csv``: a model trained on passages of 48 bytes reads passages of 192.

Run from the repository's root; a seed takes half a minute of one core, all of them three minutes::

    python course_lib/data/measure_stretching.py

One small decoder with rotary positions is trained for each seed. Its rotations are then stretched
in each of five ways and measured as they are, and again after a little training on long passages,
a tenth of the bytes that the first training read.
"""

import csv
from dataclasses import replace
from pathlib import Path

import torch

from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.decoder import DecoderConfig
from course_lib.config.rope import (
    LinearScaling,
    Llama3Scaling,
    NtkScaling,
    RopeConfig,
    RopeScaling,
    YarnScaling,
)
from course_lib.data.measure_positions import loss_by_place, passages
from course_lib.model.decoder import Decoder
from course_lib.trained.corpus import SHAKESPEARE
from course_lib.training.loop import Optimisation, train
from course_lib.training.models import draw_decoder, small_rotary
from course_lib.training.recipes import batch_loss
from course_lib.training.text import text_batch

SHORT, LONG = 48, 192
STEPS, TUNING = 400, 40
SEEDS = (0, 1, 2, 3, 4)
_FACTOR = LONG / SHORT
WAYS: dict[str, RopeScaling | None] = {
    "none": None,
    "interpolation": LinearScaling(factor=_FACTOR),
    "NTK": NtkScaling(factor=_FACTOR),
    "Llama 3": Llama3Scaling(
        factor=_FACTOR, low_freq_factor=1.0, high_freq_factor=4.0, context=SHORT
    ),
    "YaRN": YarnScaling(factor=_FACTOR, context=SHORT, alpha=1.0, beta=32.0, is_truncated=False),
}
#: Losses are means over groups of so many places; the first place of a passage is not foretold.
GROUP = 16
COLUMNS = ("way", "tuned", "seed", *(f"to {end}" for end in range(GROUP, LONG + 1, GROUP)))
TABLE = Path(__file__).with_name("stretching.csv")
_C, _H, _L = 64, 4, 2


def rotary(scaling: RopeScaling | None) -> DecoderConfig:
    """Put the decoder together: two layers of four heads with D = 16, so 8 pairs turn.

    Args:
        scaling: how its rotations are stretched.

    Returns:
        The configuration.
    """
    config = small_rotary(256, _L, _C, _H)
    attention = CausalAttentionConfig(
        num_heads=_H,
        num_kv_heads=_H,
        head_dim=_C // _H,
        rope=RopeConfig(base=10_000.0, rotary_dim=_C // _H, scaling=scaling),
    )
    layer = replace(config.layers[0], attention=attention)
    return replace(config, context_length=LONG, layers=(layer,) * _L)


def measured(seed: int, ways: tuple[str, ...] = tuple(WAYS)) -> dict[tuple[str, int], list[float]]:
    """Train one model on short passages, and measure it on long ones in each way.

    Args:
        seed: decides the first weights and all batches.
        ways: keys of ``WAYS``.

    Returns:
        By the way and the steps of tuning, none or ``TUNING``: the loss of each group of places.
    """
    ids = torch.tensor(list(SHAKESPEARE.read_bytes()))
    cut = 9 * len(ids) // 10
    text, unseen = ids[:cut], passages(ids[cut:], LONG)
    generator = torch.Generator().manual_seed(seed)
    model = draw_decoder(rotary(None), generator)
    batches = (text_batch(text, 16, SHORT, generator) for _ in range(STEPS))
    optimisation = Optimisation(learning_rate=3e-3, warmup_steps=20)
    train(model, batches, batch_loss, STEPS, optimisation, show_progress=False)
    found = {}
    for way in ways:
        stretched = Decoder(rotary(WAYS[way]))
        stretched.load_state_dict(model.state_dict())
        found[way, 0] = _in_groups(stretched, unseen)
        again = torch.Generator().manual_seed(1000 + seed)  # the same passages for each way
        longer = (text_batch(text, 4, LONG, again) for _ in range(TUNING))
        gently = Optimisation(learning_rate=1e-3, warmup_steps=5)
        train(stretched, longer, batch_loss, TUNING, gently, show_progress=False)
        found[way, TUNING] = _in_groups(stretched, unseen)
    return found


def _in_groups(model: Decoder, unseen: torch.Tensor) -> list[float]:
    losses = loss_by_place(model, unseen)
    ends = range(GROUP - 1, LONG, GROUP)
    groups = (losses[max(0, end - GROUP) : end] for end in ends)
    return [round(group.mean().item(), 3) for group in groups]


def main() -> None:
    """Measure all rows and write the table."""
    torch.set_num_threads(1)
    rows = []
    for seed in SEEDS:
        for (way, tuned), losses in measured(seed).items():
            rows.append((way, tuned, seed, *losses))
            print(way, tuned, seed, losses[0], losses[-1], flush=True)
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *sorted(rows)])


if __name__ == "__main__":
    main()
