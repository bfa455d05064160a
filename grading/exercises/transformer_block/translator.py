"""encoder_decoder: Attention Is All You Need, as small as it can be."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from grading.exercise import Exercise, Inputs, Output, Probe
from grading.exercises.shared import attention_masks as masks
from grading.exercises.shared.drawing import normal
from grading.exercises.shared.single import single
from grading.exercises.shared.stepwise import mistake
from grading.exercises.transformer_block.fitting import known_ids
from grading.exercises.transformer_block.translator_answers import ALTERNATIVES, shifted
from grading.exercises.transformer_block.translator_steps import STEPS, changed
from grading.late import Tensor, torch

__all__ = ["ENCODER_DECODER"]

Way = Callable[..., Any]


def _texts(positions: tuple[int, int], lengths: tuple[int, ...], C: int, V: int, start_id: int,
           size: float = 1.0) -> Any:  # fmt: skip
    """Draw ids at S and T positions, a table, and matrices that keep what they multiply in size."""

    def draw(generator: torch.Generator) -> Inputs:
        B = len(lengths)
        source, target = (torch.randint(V, (B, n), generator=generator) for n in positions)
        # The first and the last token of a target differ, so that a rolled one is seen.
        target[:, 0] = (target[:, -1] + 1) % V
        return {
            "source": source, "target": target, "source_lengths": torch.tensor(lengths),
            "table": size * normal(generator, V, C), "w": normal(generator, 3, 3, C, C) / C**0.5,
            "start_id": start_id,
        }  # fmt: skip

    return draw


def _twice_shifted(target: Tensor, start_id: int) -> Tensor:
    return shifted(shifted(target, start_id), start_id)


def _rolled(target: Tensor, start_id: int) -> Tensor:
    return target.roll(1, 1)


def _one_longer(target: Tensor, start_id: int) -> Tensor:
    return torch.cat([torch.full_like(target[:, :1], start_id), target], 1)


def _first_replaced(target: Tensor, start_id: int) -> Tensor:
    replaced = target.clone()
    replaced[:, 0] = start_id
    return replaced


def _causal_alone(real: Tensor) -> Tensor:
    S = real.shape[1]
    return torch.ones(S, S, dtype=torch.bool).tril()


def _strict(T: int, target: Tensor, start_id: int) -> Tensor:
    return torch.ones(T, T, dtype=torch.bool).tril(-1)


def _future(T: int, target: Tensor, start_id: int) -> Tensor:
    return torch.ones(T, T, dtype=torch.bool).triu()


def _causal_memory(real: Tensor, x: Tensor, memory: Tensor) -> Tensor:
    return real[:, None, :] & torch.ones(x.shape[1], memory.shape[1], dtype=torch.bool).tril()


def _target_values(x: Tensor, memory: Tensor) -> Any:
    return memory, x


def _memory_first(x: Tensor, read_past: Way, read_source: Way) -> Any:
    return read_past(read_source(x))


def _side_by_side(x: Tensor, read_past: Way, read_source: Way) -> Any:
    return read_past(x) + read_source(x) - x


ENCODER_DECODER = Exercise(
    name="encoder_decoder", slug="transformer-block", task="translator",
    title="A translator, as small as it can be", kind="implement", points=1.25, difficulty=3,
    importance=3, minutes=40,
    parameters=("source", "target", "source_lengths", "table", "w", "start_id"),
    outputs=(Output(name="logits", axes="B T V", dtype=None),),
    axes={"source": "B S", "target": "B T", "source_lengths": "B", "table": "V C",
          "w": "L M C C"},
    fitted=known_ids, reference=lambda *inputs: STEPS.answer()(*inputs),
    equation="queries-keys-values#eq-sdpa",
    next_rung="Change a target's last token: no row moves. Change its first: all but row 0 may.",
    probes=(
        Probe(name="three sources, two of them padded", draw=_texts((5, 4), (5, 2, 3), 6, 7, 1),
              gradient=True, single=True,
              sizes={"B": 3, "S": 5, "T": 4, "C": 6, "V": 7}),
        Probe(name="targets longer than sources", draw=_texts((3, 6), (1, 3), 4, 9, 8),
              gradient=True, sizes={"B": 2, "S": 3, "T": 6, "C": 4, "V": 9}),
        Probe(name="four sources without padding", draw=_texts((6, 3), (6, 6, 6, 6), 5, 8, 0),
              sizes={"B": 4, "S": 6, "T": 3, "C": 5, "V": 8}),
        Probe(name="two texts of short vectors", draw=_texts((4, 3), (4, 2), 5, 6, 3, 0.5),
              half=True,
              sizes={"B": 2, "S": 4, "T": 3, "C": 5, "V": 6}),
        Probe(name="a source of length 0", draw=_texts((4, 5), (2, 0, 4), 6, 8, 2),
              control=True,
              gradient=True, sizes={"B": 3, "S": 4, "T": 5, "C": 6, "V": 8}),
        Probe(name="sources as long as targets", draw=_texts((4, 4), (4, 3), 3, 6, 5), edge=True),
        Probe(name="one token each", draw=_texts((1, 1), (1,), 2, 3, 2), edge=True),
    ),
    misconceptions=(
        mistake(STEPS, "ED-KVTGT", (
            "The second attention of the decoder reads the target, so the source is never read. "
            "Its queries come from the decoder, its keys and values from what the encoder wrote.")),
        mistake(STEPS, "ED-NOCAUSAL", (
            "The decoder reads tokens that stand behind the one it is to foretell. Row t may read "
            "the rows up to t of its input, no later one.")),
        mistake(STEPS, "ED-NOSHIFT", (
            "The decoder reads the token that it is to foretell: row t stands at y_t itself. Its "
            "input begins with start_id, and every token moves one place to the right."),
            changed(shift=_first_replaced)),
        mistake(STEPS, "ED-MASKMEM", (
            "The second attention of the decoder reads the padding of the sources. What the "
            "encoder wrote there stands for no token: mask it there too.")),
        single("ED-SHIFT2", (
            "The target is shifted by two places, so row t misses the token before it."),
            changed(shift=_twice_shifted)),
        mistake(STEPS, "ED-ENCPAD", (
            "The encoder reads the padding of the sources: a real token's row changes with the ids "
            "that fill up the batch.")),
        mistake(STEPS, "ED-ENCCAUSAL", (
            "The encoder has a causal mask. The whole source is there before the first word is "
            "written, so each of its tokens may read all others."),
            changed(source_mask=_causal_alone)),
        single("ED-NOENCODER", (
            "The decoder reads the embeddings of the source, and what the encoder's attention "
            "added is not used."), changed(memory=lambda first, encoded: first)),
        single("ED-LAYERS", (
            "The matrices are not those of the contract. w[0] belongs to the encoder, w[1] to the "
            "decoder's first attention, w[2] to the one that reads the source."),
            changed(layers=lambda w: (w[0], w[0], w[0])),
            *(changed(layers=lambda w, order=order: [w[one] for one in order])
              for order in ((0, 0, 2), (0, 1, 1), (1, 0, 2), (0, 2, 1), (2, 1, 0)))),
        single("ED-ROOT", (
            "The embeddings are multiplied by the root of C, as in the paper. This smallest "
            "translator leaves that out."),
            changed(embed=lambda ids, table: table[ids] * math.sqrt(table.shape[1]))),
        mistake(STEPS, "SDPA-NOSCALE", "The scores are not divided by the root of C."),
        mistake(STEPS, "SDPA-NANROW", (
            "Where a source has length 0 there is NaN, as a softmax of nothing but −∞ gives it. "
            "Who has nothing to read adds zeros.")),
        single("ED-NORES", (
            "What an attention finds takes the place of the row that asked. It is added to it, in "
            "all three places."), changed(add=lambda x, found: found)),
        single("ED-ROLLED", (
            "The decoder's input begins with the last token of the target, as after torch.roll. "
            "It begins with start_id, and the last token is never read."), changed(shift=_rolled)),
        single("ED-LONGER", (
            "There is one row too many: start_id stands before the whole target. Its last token is "
            "only foretold, and never read."), changed(shift=_one_longer)),
        single("ED-STRICT", (
            "A row of the decoder may not read itself, and the first one reads nothing. The input "
            "is shifted already, so row t may read up to row t."), changed(target_mask=_strict)),
        single("ED-FUTURE", (
            "The decoder's causal mask lies the wrong way round: a row reads later ones."),
            changed(target_mask=_future)),
        single("ED-CROSSCAUSAL", (
            "The attention that reads the source has a causal mask. The whole source may be read "
            "from the first word on."), changed(memory_mask=_causal_memory)),
        single("ED-CROSSFIRST", (
            "The decoder reads the source before it reads its own past, or both at once. First its "
            "past, then, from there, the source."),
            changed(order=_memory_first), changed(order=_side_by_side)),
        single("SDPA-UNIFORMROW", (
            "Where a source has length 0 its padding is read all the same. Who has nothing to read "
            "adds zeros."), changed(empty=masks.equal_shares)),
        single("ED-PROBABILITIES", (
            "A softmax is taken of the logits. The contract asks for the logits themselves."),
            changed(logits=lambda x, table: (x @ table.T).softmax(-1)),
            changed(logits=lambda x, table: (x @ table.T).log_softmax(-1))),
    ),
    steps=STEPS,
    alternatives=ALTERNATIVES,
)  # fmt: skip
