"""block: one layer of a decoder of today, pre-norm with RMS norm and SwiGLU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grading.exercise import Exercise, Inputs, LeftOut, Output, Probe
from grading.exercises.shared import attention_masks as masks
from grading.exercises.shared.drawing import normal
from grading.exercises.shared.single import single
from grading.exercises.shared.stepwise import mistake
from grading.exercises.transformer_block import block_arrangements as ways
from grading.exercises.transformer_block.block_answers import ALTERNATIVES
from grading.exercises.transformer_block.block_steps import (
    STEPS,
    arranged,
    with_attention,
    with_network,
    with_norms,
)
from grading.exercises.transformer_block.fitting import whole_heads
from grading.late import Tensor, torch

__all__ = ["BLOCK"]

Way = Callable[..., Any]


def _layer(
    T: int, sizes: tuple[int, int, int, int], leading: tuple[int, ...] = (), mask: Any = None,
    eps: Any = 1e-3, scales: tuple[float, float] = (1.0, 1.0),
) -> Any:  # fmt: skip
    """Draw a block of sizes C, H, D, F, whose stream has a mean and rows of several lengths."""
    C, H, D, F = sizes
    size, write = scales  # of the stream, and of what both halves write

    def draw(generator: torch.Generator) -> Inputs:
        def matrix(rows: int, columns: int) -> Any:
            return normal(generator, rows, columns) / rows**0.5

        lengths = size * (0.5 + torch.arange(T, dtype=torch.float64))[:, None]
        return {
            "x": lengths * (normal(generator, *leading, T, C) + 0.4),
            "g_1": normal(generator, C) + 1.5,
            "w_q": matrix(C, H * D), "w_k": matrix(C, H * D), "w_v": matrix(C, H * D),
            "w_o": write * matrix(H * D, C), "g_2": normal(generator, C) + 1.5,
            "w_gate": matrix(C, F), "w_up": matrix(C, F), "w_down": write * matrix(F, C), "H": H,
            "may_attend": mask(generator) if callable(mask) else mask, "eps": eps,
        }  # fmt: skip

    return draw


def _mask(*shape: int, empty: tuple[int, ...] = ()) -> Any:
    """Draw a mask in which every row has one key to read, one not, but for the empty rows."""

    def draw(generator: torch.Generator) -> Any:
        may_attend = torch.rand(*shape, generator=generator) > 0.4
        may_attend[..., 0], may_attend[..., -1] = True, False
        for row in empty:
            may_attend[..., row, :] = False
        return may_attend

    return draw


def _layer_norm(x: Tensor, g: Tensor, eps: float) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred * (centred.square().mean(-1, keepdim=True) + eps).rsqrt() * g


def _not_moved(found: Tensor) -> Tensor:
    return found.reshape(*found.shape[:-3], found.shape[-2], -1)


def _fixed(own: float) -> Way:
    return with_norms(lambda x, g, eps: x * (x.square().mean(-1, keepdim=True) + own).rsqrt() * g)


def _net(bend: Way) -> Way:
    return with_network(lambda x, gate, up, down: bend(x @ gate) * (x @ up) @ down)


def _one_head(*inputs: Any) -> Any:
    """Take one head, whatever H says."""
    given = list(inputs)
    given[10] = 1
    return STEPS.answer()(*given)


BLOCK = Exercise(
    name="block", slug="transformer-block", task="block", title="A whole block",
    kind="implement", points=1.75, difficulty=3, importance=3, minutes=40,
    parameters=("x", "g_1", "w_q", "w_k", "w_v", "w_o", "g_2", "w_gate", "w_up", "w_down", "H",
                "may_attend", "eps"),
    defaults={"may_attend": None, "eps": 1e-6}, outputs=(Output(name="stream", axes="... T C"),),
    axes={"x": "... T C", "g_1": "C", "w_q": "C K", "w_k": "C K", "w_v": "C K", "w_o": "K C",
          "g_2": "C", "w_gate": "C F", "w_up": "C F", "w_down": "F C", "may_attend": "... T T"},
    fitted=whole_heads, reference=lambda *inputs: STEPS.answer()(*inputs), equation="eq-block",
    next_rung="With w_o and w_down of zeros a block returns its input: it can only add.",
    probes=(
        Probe(name="a batch, may_attend and eps left out",
              draw=_layer(4, (6, 2, 5, 7), (3,), LeftOut(), LeftOut()), gradient=True,
              single=True, sizes={"B": 3, "T": 4, "C": 6, "H": 2, "D": 5, "F": 7}),
        Probe(name="one sequence, whose halves write little",
              draw=_layer(3, (4, 2, 5, 6), (), None, 1e-3, (1.0, 0.25)), half=True,
              sizes={"T": 3, "C": 4, "H": 2, "D": 5, "F": 6}),
        Probe(name="one sequence, a mask of shape (T, T), eps = 0.001",
              draw=_layer(5, (8, 4, 3, 6), (), _mask(5, 5)), gradient=True,
              sizes={"T": 5, "C": 8, "H": 4, "D": 3, "F": 6}),
        Probe(name="a batch, a mask for each example, eps = 0.5",
              draw=_layer(4, (9, 3, 2, 5), (6,), _mask(6, 4, 4), 0.5),
              sizes={"B": 6, "T": 4, "C": 9, "H": 3, "D": 2, "F": 5}),
        Probe(name="two leading axes, each with its mask",
              draw=_layer(3, (8, 2, 5, 4), (2, 6), _mask(2, 6, 3, 3)),
              sizes={"B": 6, "T": 3, "C": 8, "H": 2, "D": 5, "F": 4}),
        Probe(name="a stream of small numbers, may_attend=None, eps = 0.000001",
              draw=_layer(4, (6, 3, 2, 5), (), None, 1e-6, (5e-4, 1.0)),
              sizes={"T": 4, "C": 6, "H": 3, "D": 2, "F": 5}),
        Probe(name="as many examples as heads, each with its mask",
              draw=_layer(4, (6, 3, 2, 5), (3,), _mask(3, 4, 4)), edge=True),
        Probe(name="a position that may read nothing",
              draw=_layer(5, (6, 2, 3, 4), (), _mask(5, 5, empty=(1, 4))), control=True,
              sizes={"T": 5, "C": 6, "H": 2, "D": 3, "F": 4}),
        Probe(name="two positions, one head, two numbers each", draw=_layer(2, (2, 1, 2, 2)),
              edge=True),
    ),
    misconceptions=(
        mistake(STEPS, "BLK-POST", (
            "A norm stands behind a sum, as in the Transformer of 2017: it changes the stream "
            "itself. Pre-norm normalises what a half reads, and only adds to the stream."),
            arranged(ways.normed_after_the_attention)),
        mistake(STEPS, "BLK-NORMRES", (
            "A half's result is added to the normed vector, as where x is overwritten by its norm "
            "before the sum. The stream has to stay as it was: add to what the norm was given."),
            arranged(ways.first_from_the_normed), arranged(ways.second_from_the_normed)),
        single("BLK-NORES", (
            "A sum is missing: what a half computes takes the place of the stream. It has to be "
            "added to it, behind the attention and behind the network."), arranged(ways.no_sums),
            arranged(ways.first_sum_missing), arranged(ways.second_sum_missing)),
        mistake(STEPS, "BLK-XAGAIN", (
            "The network's result is added to the block's input x, so what the attention wrote is "
            "lost. Add it to the stream behind the attention.")),
        single("BLK-ORDER", (
            "Both halves read the block's input. Some models are built so, and call it parallel; "
            "here the network reads what the attention has written."),
            arranged(ways.parallel), arranged(ways.parallel_one_norm)),
        mistake(STEPS, "BLK-SHARENORM", (
            "The gains are not where they belong: one serves both norms, or the two are exchanged. "
            "g_1 belongs to the attention, g_2 to the network."),
            with_norms(gains=lambda g_1, g_2: (g_2, g_2)),
            with_norms(gains=lambda g_1, g_2: (g_2, g_1))),
        single("BLK-LAYERNORM", (
            "The mean is subtracted: that is layer norm. The block has RMS norm."),
            with_norms(_layer_norm)),
        mistake(STEPS, "RMS-EPSOUT", (
            "eps is added to the root and not under it. For ordinary vectors that is nearly the "
            "same; where the mean square is as small as eps, it is something else entirely.")),
        mistake(STEPS, "SWI-GATESWAP", (
            "The switch acts on the other branch: SiLU is taken of the product with w_up. It "
            "belongs to w_gate.")),
        mistake(STEPS, "MHA-SCALED", (
            "The scores are divided by the root of the whole width. A score adds up the D products "
            "of one head, so D's root divides it."),
            with_attention(scale=lambda q, x: (q.shape[-3] * q.shape[-1]) ** -0.5)),
        mistake(STEPS, "MHA-MASKDROP", (
            "may_attend changes nothing: every pair is read. Hand it on to the attention."),
            with_attention(mask=masks.ignored, empty=masks.as_they_are)),
        mistake(STEPS, "SDPA-NANROW", (
            "A position with nothing to read gives NaN, as a softmax of nothing but −∞ does. Its "
            "attention is zeros, so that the stream passes on unchanged to the network.")),
        single("MERGE-NOTRANSP", (
            "The heads' outputs are reshaped to rows while heads still stand before positions, so "
            "a row holds what one head found at several positions. Exchange the two axes first."),
            with_attention(merge=_not_moved)),
        single("BLK-NONORM", (
            "A norm is missing: a half reads the stream as it is. Both halves read normed "
            "vectors."),
            *map(arranged, (ways.no_norms, ways.no_first_norm, ways.no_second_norm))),
        single("BLK-INNER", (
            "What a half writes is normed, and not what it reads. Some models norm there; "
            "pre-norm does it before the half."), arranged(ways.inner)),
        single("BLK-SWAPPED", (
            "The network comes first and the attention behind it. A block reads the others first, "
            "then thinks about what it read."),
            arranged(ways.network_first), arranged(ways.network_first_own_norms)),
        single("BLK-NORMQ", (
            "The queries come from normed vectors, keys and values from the stream as it is. All "
            "three come from the normed vectors."), arranged(ways.queries_only)),
        single("BLK-FINAL", (
            "The block's result is normed once more. The last norm belongs to the model, behind "
            "all of its blocks."), arranged(ways.final_norm)),
        single("BLK-HALF", (
            "One half is missing: a block is attention and a feed-forward network."),
            arranged(ways.attention_alone), arranged(ways.network_alone)),
        single("BLK-DOUBLED", (
            "What the attention gives is added to itself, and x is lost. Keep x under another name "
            "until the sum is done."), arranged(ways.attention_doubled)),
        single("BLK-EPS", (
            "One and the same number stands under the roots, whatever eps is handed over. Its "
            "default is 0.000001, and a call may give another."), *(
            _fixed(own) for own in (1e-6, 1e-5, 1e-8, 0.0))),
        single("SWI-SIG", (
            "The network's gate is σ alone. SwiGLU takes SiLU: the product times its sigmoid."),
            _net(lambda z: z.sigmoid())),
        single("SWI-GELU", (
            "The network's gate is bent by GELU, or by something near it. SwiGLU takes SiLU."),
            _net(lambda z: torch.nn.functional.gelu(z)),
            _net(lambda z: torch.nn.functional.gelu(z, approximate="tanh"))),
        single("SWI-NOUP", (
            "The network has no gate: SiLU stands between two matrices, and w_up is not used."),
            with_network(lambda x, gate, up, down: torch.nn.functional.silu(x @ gate) @ down)),
        single("SDPA-NOSCALE", "The scores are not divided by the root of D.",
              with_attention(scale=lambda q, x: 1.0)),
        single("SDPA-MASKINV", (
            "The mask is read the wrong way round. True means that position t may read s."),
            with_attention(mask=masks.inverted(masks.filled()), empty=masks.as_they_are)),
        single("SDPA-UNIFORMROW", (
            "A position with nothing to read reads all the same: a softmax shares out 1 over any "
            "row of finite scores. Its attention is zeros."),
            with_attention(empty=masks.equal_shares)),
        single("MHA-MASKHEAD", (
            "A mask of each example meets the scores without an axis for the heads. Its first axis "
            "is then lined up with the heads: that fails, or, with as many examples as heads, each "
            "head gets the mask of another example."), with_attention(spread=lambda may: may)),
        single("MHA-ONEHEAD", (
            "H changes nothing: one head, as wide as all of them, compares whole rows."),
            _one_head),
    ),
    steps=STEPS,
    alternatives=ALTERNATIVES,
)  # fmt: skip
