"""Attention whose time is to grow with n: low rank, a kernel, hashing; and others' code for it.

::

    python -m benchmarks.growth

The packages linformer, reformer-pytorch and performer-pytorch are compared where they are
installed; the course does not need them.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.benchmark import Benchmark, Measured
from benchmarks.compared import Call, Row, at_most, best_in_turns, power, table
from benchmarks.measure import Section, in_own_process
from course_lib.efficient.kernel_attention import kernel_attention
from course_lib.efficient.linear_attention import linear_attention
from course_lib.efficient.low_rank import linformer
from course_lib.efficient.lsh import lsh_hash, multi_round_lsh_attention

SIZES = {1024: 9, 4096: 5, 16384: 2}  # positions, and how many rounds
NUM_HEADS, HEAD_DIM = 8, 64
D_MODEL = NUM_HEADS * HEAD_DIM
RANK, ROUNDS, CHUNK = 256, 4, 64
LINFORMER, LINEAR, LSH = "Linformer", "linear attention, causal", "LSH attention"
LINFORMER_LAYER, SUMS = "a layer of Linformer", "linear attention of features, two-sided"
LSH_LAYER = "a layer of LSH attention"
OURS = "ours"
MOST_POWER, MOST = 1.25, 1.1
WHY = (
    "at n = 16384 what a round makes no longer fits the caches, and large tensors are asked of the "
    "system anew, page by page"
)
WHY_BESIDE = (
    "the sums over features are the same products in both codes, and one run differs from the next "
    "by as much as this bar allows: three gave 1.02, 1.07 and 1.14 at 4096"
)


def draw(*shape: int, seed: int = 0) -> Tensor:
    """Return the same normal numbers each time."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def by_head(x: Tensor) -> Tensor:
    """Cut B T C into B H T D."""
    return x.unflatten(-1, (NUM_HEADS, HEAD_DIM)).transpose(1, 2)


def side_by_side(heads: Tensor) -> Tensor:
    """Put B H T D back into B T C."""
    return heads.transpose(1, 2).flatten(2)


def hashed(qk: Tensor, value: Tensor, r: Tensor) -> Tensor:
    """Hash, then attend in all rounds."""
    return multi_round_lsh_attention(qk, value, lsh_hash(qk, r), CHUNK, True)


def linformers(n: int) -> dict[str, dict[str, Call]]:
    """Return Linformer alone, and a layer of it beside the package's."""
    q, k, v = (draw(1, NUM_HEADS, n, HEAD_DIM, seed=seed) for seed in range(3))
    e, f = (draw(RANK, n, seed=seed) / n**0.5 for seed in (3, 4))
    found: dict[str, dict[str, Call]] = {LINFORMER: {OURS: lambda: linformer(q, k, v, e, f)}}
    with suppress(ImportError):
        from linformer import LinformerSelfAttention

        layer = LinformerSelfAttention(D_MODEL, n, k=RANK, heads=NUM_HEADS).eval()
        x = draw(1, n, D_MODEL)
        projections = layer.to_q.weight.mT, layer.to_k.weight.mT, layer.to_v.weight.mT
        mixes = layer.proj_k.mT, layer.proj_v.mT

        def whole() -> Tensor:
            heads = linformer(*(by_head(x @ w) for w in projections), *mixes)
            return layer.to_out(side_by_side(heads))

        found[LINFORMER_LAYER] = {OURS: whole, "linformer": lambda: layer(x)}
    return found


def linears(n: int) -> dict[str, dict[str, Call]]:
    """Return linear attention, and the sums over features beside the package's."""
    q, k, v = (draw(1, NUM_HEADS, n, HEAD_DIM, seed=seed) for seed in range(3))
    found: dict[str, dict[str, Call]] = {LINEAR: {OURS: lambda: linear_attention(q, k, v, True)}}
    with suppress(ImportError):
        from performer_pytorch.performer_pytorch import linear_attention as theirs

        features = [functional.elu(x) + 1 for x in (q, k)]
        found[SUMS] = {
            OURS: lambda: kernel_attention(*features, v),
            "performer_pytorch": lambda: theirs(*features, v),
        }
    return found


def hashes(n: int) -> dict[str, dict[str, Call]]:
    """Return LSH attention, a layer of it beside transformers', and beside the package's."""
    from transformers import ReformerConfig
    from transformers.models.reformer.modeling_reformer import LSHSelfAttention

    qk, v = (draw(1, NUM_HEADS, n, HEAD_DIM, seed=seed) for seed in range(2))
    r = draw(ROUNDS, HEAD_DIM, n // CHUNK // 2, seed=2)
    config = ReformerConfig(
        hidden_size=D_MODEL, num_attention_heads=NUM_HEADS, attention_head_size=HEAD_DIM,
        num_hashes=ROUNDS, num_buckets=n // CHUNK, lsh_attn_chunk_length=CHUNK,
        lsh_num_chunks_before=1, lsh_num_chunks_after=0, is_decoder=True, hash_seed=7,
        attn_layers=["lsh"], lsh_attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    layer, x = LSHSelfAttention(config, layer_idx=0).eval(), draw(1, n, D_MODEL)
    projections = layer.query_key.weight.mT, layer.value.weight.mT

    def whole() -> Tensor:
        return side_by_side(hashed(*(by_head(x @ w) for w in projections), r))

    alone: dict[str, Call] = {OURS: lambda: hashed(qk, v, r)}
    found: dict[str, dict[str, Call]] = {
        LSH: alone,
        LSH_LAYER: {OURS: whole, "transformers": lambda: layer(x).hidden_states},
    }
    with suppress(ImportError):
        from reformer_pytorch.reformer_pytorch import LSHAttention

        theirs = LSHAttention(bucket_size=CHUNK, n_hashes=ROUNDS, causal=True).eval()
        flat = qk.flatten(0, 1), v.flatten(0, 1)
        alone["reformer_pytorch"] = lambda: theirs(*flat)[0]
    return found


KINDS: dict[str, Callable[[int], dict[str, dict[str, Call]]]] = {
    "linformers": linformers,
    "linears": linears,
    "hashes": hashes,
}


def measure_here() -> list[Row]:
    """Measure all in this process; those of one case take turns."""
    rows = []
    with torch.no_grad():
        for kind in KINDS.values():
            for n, rounds in SIZES.items():
                for case, calls in kind(n).items():
                    seconds = best_in_turns(calls, rounds)
                    rows += [Row(case=case, name=who, n=n, seconds=s) for who, s in seconds.items()]
    return rows


def measure() -> Measured:
    """Measure in a process of its own."""
    return {"times": in_own_process("benchmarks.growth", "here")}


def beside(timed: list[Row]) -> dict[str, float]:
    """Return how many times as long ours takes as others' code, at each size."""
    found = {(row.case, row.name, row.n): row.seconds or 0.0 for row in timed}
    return {
        f"{name}'s at {n}": found[case, OURS, n] / seconds
        for (case, name, n), seconds in found.items()
        if name != OURS
    }


def tell(measured: Measured) -> tuple[Section, ...]:
    """Set the section of the page."""
    timed = [Row(**row) for row in measured["times"]]
    powers = {name: power(timed, name, OURS) or 0.0 for name in (LINFORMER, LINEAR, LSH)}
    packages = {"linformer", "performer_pytorch", "reformer_pytorch"}
    absent = sorted(packages - {row.name for row in timed})
    text = (
        f"B = 1, H = {NUM_HEADS}, D = {HEAD_DIM}, float32, forward, without gradients. Linformer "
        f"mixes n keys into {RANK}; LSH attention hashes {ROUNDS} times, into chunks of {CHUNK}. A "
        "layer projects before and, for Linformer, after; that of transformers reads the other "
        "buckets of two chunks too."
    )
    if absent:
        text += f" Not installed where this was measured, so not compared: {', '.join(absent)}."
    reach = f"n = {min(SIZES)} to {max(SIZES)}"
    bars = (
        at_most(f"time grows with n, {reach}: exponent", powers, MOST_POWER, WHY),
        at_most(
            "not slower than others' code for it, but for a tenth: ours over",
            beside(timed),
            MOST,
            WHY_BESIDE,
        ),
    )
    return (Section(title="Time that grows with n", text=text, table=table(timed), bars=bars),)


BENCHMARK = Benchmark(name="growth", minutes=1.5, measure=measure, tell=tell)

if __name__ == "__main__":
    print(json.dumps([asdict(row) for row in measure_here()]))
