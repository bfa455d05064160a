"""Write ``blocks.csv``: small decoders trained by the place of their norms, and with QK-norm.

Run from the repository's root; each row takes a few seconds, all of them some minutes::

    python course_lib/data/measure_blocks.py

All read the same play, byte by byte, 8 passages of 32 bytes a step. The two sides of a comparison
have the same seeds, the same passages, the same learning rate and the same number of steps. Longer
gradients are cut to length 1.
"""

import csv
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from course_lib.config.arrangement import Arrangement, PostNorm, PreNorm
from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.decoder import DecoderConfig
from course_lib.config.norms import HeadQKNorm, NoQKNorm, QKNormConfig, RMSNormConfig
from course_lib.model.attention_modules.causal import CausalAttention
from course_lib.model.decoder import Decoder
from course_lib.model.initialise import ResidualWriter
from course_lib.model.reading import Reading
from course_lib.trained.corpus import SHAKESPEARE
from course_lib.training.loop import Optimisation, train
from course_lib.training.models import draw_decoder, small_rotary
from course_lib.training.recipes import batch_loss
from course_lib.training.text import text_batch

ARRANGEMENTS: dict[str, Arrangement] = {"pre-norm": PreNorm(), "post-norm": PostNorm()}
QK_NORMS: dict[str, QKNormConfig] = {
    "no QK-norm": NoQKNorm(),
    "QK-norm": HeadQKNorm(norm=RMSNormConfig(eps=1e-6)),
}
#: Layers, first weights, learning rate, steps of warm-up. "scaled": matrices that write into the
#: residual stream begin smaller by the root of their number, as in GPT-2; "equal": they do not.
DEPTHS = (
    (12, "equal", 5e-3, 0),
    (12, "equal", 5e-3, 50),
    (12, "equal", 1e-3, 0),
    (12, "scaled", 5e-3, 0),
    (6, "scaled", 3e-3, 0),
)
#: Learning rates of the runs with and without QK-norm, of two layers each.
RATES = (3e-3, 3e-2)
STEPS, SEEDS = 150, (0, 1, 2)
COLUMNS = ("kind", "layers", "first", "learning_rate", "warm_up", "seed", "loss", "largest_score")
TABLE = Path(__file__).with_name("blocks.csv")


def decoder_config(kind: str, layers: int) -> DecoderConfig:
    """Put a decoder of bytes together, 32 wide with 4 heads.

    Args:
        kind: a key of ``ARRANGEMENTS`` or of ``QK_NORMS``.
        layers: L.

    Returns:
        The configuration, pre-norm and without QK-norm unless the kind says otherwise.
    """
    config = small_rotary(256, layers, 32, 4)
    layer = config.layers[0]
    if kind in ARRANGEMENTS:
        layer = replace(layer, arrangement=ARRANGEMENTS[kind])
    else:
        assert isinstance(layer.attention, CausalAttentionConfig)
        layer = replace(layer, attention=replace(layer.attention, qk_norm=QK_NORMS[kind]))
    return replace(config, layers=(layer,) * layers)


def drawn(kind: str, layers: int, first: str, generator: torch.Generator) -> Decoder:
    """Draw the first weights of a decoder.

    Args:
        kind: a key of ``ARRANGEMENTS`` or of ``QK_NORMS``.
        layers: L.
        first: "scaled", or "equal" where every matrix has the deviation 1/√C.
        generator: where the randomness comes from.

    Returns:
        The decoder.
    """
    model = draw_decoder(decoder_config(kind, layers), generator)
    if first == "equal":
        with torch.no_grad():
            for half in model.modules():
                if isinstance(half, ResidualWriter):
                    for matrix in half.residual_writers():
                        matrix.mul_((2 * layers) ** 0.5)
    return model


def measured(
    kind: str, layers: int, first: str, rate: float, warm_up: int, seed: int
) -> tuple[float, float]:
    """Train one decoder, and look for its largest score on other passages.

    Args:
        kind: a key of ``ARRANGEMENTS`` or of ``QK_NORMS``.
        layers: L.
        first: "scaled" or "equal".
        rate: the learning rate.
        warm_up: steps until the rate is reached.
        seed: decides the first weights and all passages.

    Returns:
        The mean loss of the last 20 steps, in nats a byte, and the largest score without its sign.
    """
    ids = torch.tensor(list(SHAKESPEARE.read_bytes()))
    generator = torch.Generator().manual_seed(seed)
    model = drawn(kind, layers, first, generator)
    batches = (text_batch(ids, 8, 32, generator) for _ in range(STEPS))
    optimisation = Optimisation(learning_rate=rate, warmup_steps=warm_up)
    losses = train(model, batches, batch_loss, STEPS, optimisation, show_progress=False)
    passages = text_batch(ids, 32, 32, torch.Generator().manual_seed(1000)).inputs[0]
    return round(sum(losses[-20:]) / 20, 3), round(largest_score(model, passages), 1)


def largest_score(model: nn.Module, ids: Tensor) -> float:
    """Find the largest scaled score of all layers and heads, without its sign.

    Args:
        model: a decoder.
        ids: passages to read.

    Returns:
        The largest, over pairs that may be read.
    """
    found: list[float] = []

    def look(attention: CausalAttention, inputs: tuple[Tensor, ...]) -> None:
        query, key, _ = attention.project(inputs[0], Reading.of(inputs[0], None, None))
        scores = query @ key.mT * query.shape[-1] ** -0.5
        found.append(scores.tril().abs().max().item())

    modules = [one for one in model.modules() if isinstance(one, CausalAttention)]
    hooks = [one.register_forward_pre_hook(look) for one in modules]
    with torch.no_grad():
        model(ids)
    for hook in hooks:
        hook.remove()
    return max(found)


def main() -> None:
    """Measure all rows and write the table."""
    torch.set_num_threads(1)
    settings = [(kind, *depth) for depth in DEPTHS for kind in ARRANGEMENTS]
    settings += [(kind, 2, "scaled", rate, 0) for rate in RATES for kind in QK_NORMS]
    rows = []
    for setting in settings:
        for seed in SEEDS:
            rows.append((*setting, seed, *measured(*setting, seed)))
            print(*rows[-1], flush=True)
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])


if __name__ == "__main__":
    main()
