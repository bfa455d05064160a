"""Write ``positions.csv``: the loss at each place of a passage, for five ways to tell positions.

Run from the repository's root; a row takes about eight seconds of one core, all of them seven
minutes::

    python course_lib/data/measure_positions.py

All models are small decoders of one shape, trained on passages of 20 bytes of the first nine
tenths of "Julius Caesar" and measured on passages of 40 bytes of the rest. One control is trained
on 40. In another, models that are told nothing, or differences alone, may read the last 20 bytes
only, so that they meet nothing new.
"""

import csv
from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from course_lib.config.attention import AlibiAttentionConfig, AttentionConfig, CausalAttentionConfig
from course_lib.config.attention_parts import Everything, Reach, Window
from course_lib.config.decoder import DecoderConfig, EmbeddingScale, EmbeddingStep, LearnedPositions
from course_lib.config.rope import NoRope, RopeConfig
from course_lib.model.decoder import Decoder
from course_lib.positions.absolute import sinusoidal
from course_lib.trained.corpus import SHAKESPEARE
from course_lib.training.loop import Optimisation, train
from course_lib.training.models import draw_decoder, small_rotary
from course_lib.training.recipes import batch_loss
from course_lib.training.text import text_batch

KINDS = ("sinusoidal", "learned", "ALiBi", "RoPE", "NoPE")
#: Kinds that are measured once more with a window of the bytes of training, and those rows' names.
IN_A_WINDOW = {"RoPE": "RoPE, window", "NoPE": "NoPE, window"}
EVERYTHING = Everything()
#: Bytes of a passage in training, and how many passages a step reads: the same text for both.
TRAINED = {20: 32, 40: 16}
SEEDS = (0, 1, 2, 3, 4)
STEPS = 400
MEASURED = 40
COLUMNS = ("kind", "trained", "seed", *(f"place {t}" for t in range(2, MEASURED + 1)))
TABLE = Path(__file__).with_name("positions.csv")
_C, _H, _L = 64, 4, 2


def small(kind: str, reach: Reach = EVERYTHING) -> DecoderConfig:
    """Put the decoder together that all share but for how it tells positions.

    Args:
        kind: one of ``KINDS``.
        reach: which keys a position may read.

    Returns:
        The configuration: two layers of four heads, 64 wide, which read bytes.
    """
    config = small_rotary(256, _L, _C, _H)
    layer = config.layers[0]
    attention: AttentionConfig
    if kind == "ALiBi":
        attention = AlibiAttentionConfig(num_heads=_H, num_kv_heads=_H, head_dim=_C // _H)
    else:
        rope = RopeConfig(base=10_000.0, rotary_dim=_C // _H) if kind == "RoPE" else NoRope()
        attention = CausalAttentionConfig(
            num_heads=_H, num_kv_heads=_H, head_dim=_C // _H, rope=rope, reach=reach
        )
    layer = replace(layer, attention=attention)
    steps: dict[str, tuple[EmbeddingStep, ...]] = {
        "learned": (LearnedPositions(),),
        # As in the paper of 2017, sec. 3.4: else the waves would drown the tokens.
        "sinusoidal": (EmbeddingScale(factor=_C**0.5), LearnedPositions()),
    }
    return replace(
        config,
        context_length=MEASURED,
        layers=(layer,) * _L,
        embedding_steps=steps.get(kind, ()),
    )


def drawn(kind: str, generator: torch.Generator) -> Decoder:
    """Draw the first weights; a table of sinusoids is written and not trained.

    Args:
        kind: one of ``KINDS``.
        generator: where the randomness comes from.

    Returns:
        The decoder.
    """
    model = draw_decoder(small(kind), generator)
    if kind == "sinusoidal":
        table = model.get_parameter("positions")
        table.requires_grad = False
        table.copy_(sinusoidal(*table.shape))
    return model


def texts() -> tuple[Int[Tensor, " _"], Int[Tensor, "B T"]]:
    """Return what is trained on, and the passages that are measured.

    Returns:
        The first nine tenths of the play as bytes, and passages of 40 bytes of the last tenth.
    """
    ids = torch.tensor(list(SHAKESPEARE.read_bytes()))
    cut = 9 * len(ids) // 10
    return ids[:cut], passages(ids[cut:], MEASURED)


def passages(ids: Int[Tensor, " _"], length: int) -> Int[Tensor, "B T"]:
    """Cut a text into passages that do not overlap.

    Args:
        ids: the text.
        length: T, of each.

    Returns:
        The passages; what is left over at the end belongs to none.
    """
    return ids[: len(ids) // length * length].view(-1, length)


def loss_by_place(model: nn.Module, ids: Int[Tensor, "B T"]) -> Float[Tensor, " _"]:
    """Measure the mean loss at each place but the first.

    Args:
        model: returns logits.
        ids: passages that it has not seen.

    Returns:
        One loss in nats for each place from the second on.
    """
    with torch.no_grad():
        ln_p: Tensor = model(ids)[:, :-1].log_softmax(dim=-1)
    return -ln_p.gather(2, ids[:, 1:, None]).mean(dim=(0, 2))


def measured(kind: str, length: int, seed: int) -> dict[str, list[float]]:
    """Train a model on passages of one length, and measure it on passages of 40 bytes.

    Args:
        kind: one of ``KINDS``.
        length: bytes of a passage in training, a key of ``TRAINED``.
        seed: decides the first weights and all batches.

    Returns:
        The loss in nats at each place from the second on, for the model, and for the same weights
        in a window of as many bytes as it was trained on, where there is such a control.
    """
    text, unseen = texts()
    generator = torch.Generator().manual_seed(seed)
    model = drawn(kind, generator)
    batches = (text_batch(text, TRAINED[length], length, generator) for _ in range(STEPS))
    optimisation = Optimisation(learning_rate=3e-3, warmup_steps=20)
    train(model, batches, batch_loss, STEPS, optimisation, show_progress=False)
    found = {kind: loss_by_place(model, unseen)}
    if kind in IN_A_WINDOW and length < MEASURED:
        near = Decoder(small(kind, Window(size=length)))
        near.load_state_dict(model.state_dict())
        found[IN_A_WINDOW[kind]] = loss_by_place(near, unseen)
    return {name: [round(nats, 3) for nats in losses.tolist()] for name, losses in found.items()}


def main() -> None:
    """Measure all rows and write the table."""
    torch.set_num_threads(1)
    rows = []
    for seed in SEEDS:
        for length in TRAINED:
            for kind in KINDS:
                for name, losses in measured(kind, length, seed).items():
                    rows.append((name, length, seed, *losses))
                    short, long = sum(losses[:19]) / 19, sum(losses[19:]) / 20
                    print(name, length, seed, f"{short:.3f} {long:.3f}", flush=True)
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *sorted(rows)])


if __name__ == "__main__":
    main()
