"""Decoding with a cache: a token's time as the sequence grows, and what sharing keys saves.

One process for each layer, in which all lengths take turns, and one for each way to share::

    python -m benchmarks.decoding
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import chain
from random import Random
from statistics import median

import torch
from torch import Tensor

from benchmarks.benchmark import Benchmark, Measured
from benchmarks.measure import (
    UNKNOWN,
    Bar,
    Section,
    cpu_seconds,
    exponent,
    in_own_process,
    markdown,
    peak_bytes,
)
from course_lib.attention.grouped import grouped_mix, grouped_scores
from course_lib.cache.growing import KVCache
from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.attention_parts import Everything, Reach, Window
from course_lib.config.rope import RopeConfig
from course_lib.model.attention_modules.causal import CausalAttention
from course_lib.model.initialise import initialise

SIZES = (256, 512, 1024, 2048, 4096, 8192, 16384)
WINDOW = 128
LAYERS: dict[str, Reach] = {"full": Everything(), "window": Window(size=WINDOW)}
D_MODEL, NUM_HEADS, NUM_KV_HEADS, HEAD_DIM = 512, 8, 2, 64
#: Each round writes a token at every length, in another order, so that a slow moment slows all
#: alike. In the end a cache holds that many tokens more than n.
ROUNDS = 200
FLAT = 1.20

#: Sharing: H query heads, G key/value heads, over S keys.
SHARED_HEADS, GROUPS, NUM_KEYS = 32, 4, 16384
SHARINGS = ("grouped_scores, grouped_mix (ours)", "repeat_interleave")


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRow:
    """One layer at one length.

    Attributes:
        layer: one of LAYERS.
        n: tokens in the cache at first.
        seconds: CPU seconds for one more.
        nbytes: bytes of the cache, spare room included.
    """

    layer: str
    n: int
    seconds: float
    nbytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SharingRow:
    """One way to let 8 query heads share a key head.

    Attributes:
        name: one of SHARINGS.
        seconds: CPU seconds for the scores and the mix of one token.
        peak: bytes at the worst moment, beyond keys and values; None where it cannot be measured.
    """

    name: str
    seconds: float
    peak: int | None


def measure_layer(
    layer: str, sizes: tuple[int, ...] = SIZES, rounds: int = ROUNDS
) -> list[LayerRow]:
    """Measure a token's time at each length, in this process."""
    generator, order = torch.Generator().manual_seed(0), Random(0)
    config = CausalAttentionConfig(
        num_heads=NUM_HEADS,
        num_kv_heads=NUM_KV_HEADS,
        head_dim=HEAD_DIM,
        rope=RopeConfig(base=10_000.0, rotary_dim=HEAD_DIM),
        reach=LAYERS[layer],
    )
    attention = CausalAttention(config, D_MODEL)
    initialise(attention, generator)
    caches = {n: attention.new_cache() for n in sizes}
    times: dict[int, list[float]] = {n: [] for n in sizes}
    with torch.no_grad():
        for n, cache in caches.items():
            key, value = torch.randn(2, 1, NUM_KV_HEADS, n, HEAD_DIM, generator=generator)
            cache.extend(key, value)
        for _ in range(rounds):
            for n in order.sample(sizes, len(sizes)):
                token = torch.randn(1, 1, D_MODEL, generator=generator)
                start = time.process_time()
                attention(token, caches[n])
                times[n].append(time.process_time() - start)
    return [
        LayerRow(layer=layer, n=n, seconds=median(times[n]), nbytes=caches[n].nbytes) for n in sizes
    ]


def sharing(name: str, num_keys: int) -> Callable[[], Tensor]:
    """Return how one new query reads all keys of a cache, as a call without arguments."""
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(1, SHARED_HEADS, 1, HEAD_DIM, generator=generator)
    cache = KVCache(capacity=2 * num_keys)  # as in life: the keys are a view of a larger room
    key, value = cache.extend(
        *torch.randn(2, 1, GROUPS, num_keys, HEAD_DIM, generator=generator).unbind()
    )
    if name == SHARINGS[0]:
        return lambda: grouped_mix(grouped_scores(query, key), value)

    def repeated() -> Tensor:
        repeats = SHARED_HEADS // GROUPS
        scores = query @ key.repeat_interleave(repeats, dim=1).mT
        return scores @ value.repeat_interleave(repeats, dim=1)

    return repeated


def measure_sharing(name: str, num_keys: int) -> SharingRow:
    """Measure one way to share in this process: memory first, then time."""
    with torch.no_grad():
        sharing(name, 16)()
        call = sharing(name, num_keys)
        peak = peak_bytes(call)
        return SharingRow(name=name, seconds=cpu_seconds(call), peak=peak)


def layer_rows() -> list[LayerRow]:
    """Measure each layer in a process of its own."""
    measured = [in_own_process("benchmarks.decoding", "layer", layer) for layer in LAYERS]
    return [LayerRow(**row) for row in chain(*measured)]


def sharing_rows(num_keys: int = NUM_KEYS) -> list[SharingRow]:
    """Measure each way to share in a process of its own."""
    run = in_own_process
    return [SharingRow(**run("benchmarks.decoding", "sharing", n, num_keys)) for n in SHARINGS]


def spread(measured: list[LayerRow]) -> float:
    """Return the longest time of a token over the shortest."""
    times = [row.seconds for row in measured]
    return max(times) / min(times)


def layer_table(measured: list[LayerRow]) -> str:
    """Set the layers as a Markdown table."""
    header = ["CPU µs a token", *(f"n = {n}" for n in SIZES), "slowest / fastest"]
    lines = []
    for layer in LAYERS:
        own = [row for row in measured if row.layer == layer]
        times = [f"{1e6 * row.seconds:.0f}" for row in own]
        lines.append([f"{layer} layer", *times, f"{spread(own):.2f}"])
        lines.append(
            [f"{layer} layer, cache in kB", *(f"{row.nbytes / 1e3:.0f}" for row in own), ""]
        )
    return markdown(header, lines)


def layer_section(measured: list[LayerRow]) -> Section:
    """Tell how a token's time grows."""
    window = [row for row in measured if row.layer == "window"]
    full = [row for row in measured if row.layer == "full" and row.n >= 4096]
    flatness = spread(window)
    power = exponent([row.n for row in full], [row.seconds for row in full])
    text = (
        f"One token through CausalAttention with a cache of n tokens: C = {D_MODEL}, "
        f"H = {NUM_HEADS}, G = {NUM_KV_HEADS}, D = {HEAD_DIM}, RoPE, float32; the window holds "
        f"W = {WINDOW} keys. From n = 4096 on the full layer's time grows with n^{power:.2f}; the "
        "window's cache stays as it is."
    )
    flat = Bar(
        claim=f"a window layer's time per token is flat in n within {FLAT - 1:.0%}",
        measured=f"{flatness - 1:.0%} between the fastest and the slowest n",
        holds=flatness <= FLAT,
    )
    return Section(
        title="Decoding with a cache", text=text, table=layer_table(measured), bars=(flat,)
    )


def sharing_section(measured: list[SharingRow]) -> Section:
    """Tell what it costs to let query heads share."""
    itemsize, reads = 4, SHARED_HEADS // GROUPS
    keys = GROUPS * NUM_KEYS * HEAD_DIM * itemsize
    scores = SHARED_HEADS * NUM_KEYS * itemsize
    lines = [
        [row.name, UNKNOWN if row.peak is None else f"{row.peak:,}", f"{1e3 * row.seconds:.2f}"]
        for row in measured
    ]
    text = (
        f"One query reads S = {NUM_KEYS} keys of a KVCache: H = {SHARED_HEADS}, G = {GROUPS}, "
        f"D = {HEAD_DIM}, float32. The keys have {keys:,} bytes, {reads} copies of them "
        f"{reads * keys:,}, the scores {scores:,}."
    )
    peak = measured[0].peak
    bars = (
        ()
        if peak is None
        else (
            Bar(
                claim="sharing copies no keys: less than half of one copy is needed beyond them",
                measured=f"{peak / keys:.2f} of the keys' bytes, "
                f"{peak / scores:.1f} of the scores'",
                holds=peak < keys / 2,
            ),
        )
    )
    table = markdown(["how", "bytes beyond keys and values", "CPU ms"], lines)
    return Section(title="Sharing keys", text=text, table=table, bars=bars)


def measure() -> Measured:
    """Measure everything, as JSON keeps it."""
    return {
        "layers": [asdict(row) for row in layer_rows()],
        "sharing": [asdict(row) for row in sharing_rows()],
    }


def tell(measured: Measured) -> tuple[Section, ...]:
    """Set the sections of the page."""
    layers = [LayerRow(**row) for row in measured["layers"]]
    sharings = [SharingRow(**row) for row in measured["sharing"]]
    return layer_section(layers), sharing_section(sharings)


BENCHMARK = Benchmark(name="decoding", minutes=1.0, measure=measure, tell=tell)

if __name__ == "__main__":
    if sys.argv[1:2] == ["layer"]:
        print(json.dumps([asdict(row) for row in measure_layer(sys.argv[2])]))
    elif sys.argv[1:2] == ["sharing"]:
        print(json.dumps(asdict(measure_sharing(sys.argv[2], int(sys.argv[3])))))
    else:
        print(layer_table(layer_rows()), sharing_section(sharing_rows()).table, sep="\n\n")
