"""Write ``decoding.csv``: what a token costs with a cache and without, and by what is kept.

Run from the repository's root, on a machine that does nothing else; a minute::

    python course_lib/data/measure_decoding.py

Counted is the time of the processor, on one thread; of several runs the fastest stands here. The
table holds one machine's milliseconds: what to look at is how they grow, and their order.
"""

import csv
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from course_lib.attention.grouped import grouped_query_attention
from course_lib.attention.latent import latent_attention, latent_attention_absorbed
from course_lib.attention.latent_parameters import LatentParameters
from course_lib.model.decoder import Decoder
from course_lib.training.models import draw_decoder, small_rotary

#: Tokens before the one that is measured.
LENGTHS = (64, 128, 256, 512, 1024, 2048)
#: Key and value heads of one layer with 32 query heads of 128, and its keys.
GROUPS, HEADS, HEAD_DIM, KEYS = (32, 8, 1), 32, 128, 4096
#: Tokens of one call behind 1024 others: a step, and five tokens that are checked at once.
PASSES = (1, 5)
#: The sizes of MLA's latent vector and rotary key.
LATENT_DIM, ROPE_DIM = 512, 64
COLUMNS = ("what", "kind", "tokens", "milliseconds")
TABLE = Path(__file__).with_name("decoding.csv")


def fastest(run: Callable[[], object], repeats: int = 7) -> float:
    """Time a function, in milliseconds of the processor."""
    run()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return 1e3 * min(times)


def decoder() -> Decoder:
    """Draw the decoder that is measured: four layers, 128 wide, 8 heads."""
    config = replace(small_rotary(256, 4, 128, 8), context_length=4096)
    return draw_decoder(config, torch.Generator().manual_seed(0))


def token_times(length: int) -> dict[str, float]:
    """Time the token behind ``length`` others, with a cache and without.

    Args:
        length: the tokens before it.

    Returns:
        Milliseconds with a cache, and without one.
    """
    model = decoder()
    ids = torch.randint(256, (1, length + 1), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        caches = model.new_caches()
        model(ids[:, :-1], caches)
        steps = 8  # the cache grows by these; at 64 tokens and more that is little
        cached = fastest(lambda: [model(ids[:, -1:], caches) for _ in range(steps)]) / steps
        whole = fastest(lambda: model(ids), repeats=3)
    return {"with a cache": cached, "without": whole}


def pass_times() -> dict[int, float]:
    """Time calls of a few tokens behind 1024 others, with a cache.

    Returns:
        Milliseconds, by the tokens of the call.
    """
    model, found = decoder(), {}
    ids = torch.randint(256, (1, 1024), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for tokens in PASSES:
            caches = model.new_caches()
            model(ids, caches)
            found[tokens] = fastest(partial(model, ids[:, :tokens], caches), repeats=20)
    return found


def kept_times(keys: int = KEYS) -> dict[str, float]:
    """Time one layer's reading for one new token, by what the cache keeps.

    Args:
        keys: tokens in the cache.

    Returns:
        Milliseconds of each kind. The grouped ones do the same sums; what differs is how many
        numbers they read. MLA is measured absorbed, and with all keys and values made anew.
    """
    generator = torch.Generator().manual_seed(2)

    def drawn(*size: int) -> torch.Tensor:
        return torch.randn(*size, generator=generator)

    query, found = drawn(1, HEADS, 1, HEAD_DIM), {}
    for G in GROUPS:
        key, value = drawn(1, G, keys, HEAD_DIM), drawn(1, G, keys, HEAD_DIM)
        found[f"G = {G}"] = fastest(partial(grouped_query_attention, query, key, value))
    wide = HEADS * HEAD_DIM
    parameters = LatentParameters(
        w_dkv=drawn(8, LATENT_DIM),
        g_kv=torch.ones(LATENT_DIM),
        w_kr=drawn(8, ROPE_DIM),
        w_uk=drawn(LATENT_DIM, wide) * LATENT_DIM**-0.5,
        w_uv=drawn(LATENT_DIM, wide) * LATENT_DIM**-0.5,
    )
    given = (query, drawn(1, HEADS, 1, ROPE_DIM), drawn(1, keys, LATENT_DIM))
    rotary = drawn(1, keys, ROPE_DIM)
    for name, attend in (
        ("latent, absorbed", latent_attention_absorbed),
        ("latent, keys made anew", latent_attention),
    ):
        found[name] = fastest(partial(attend, *given, rotary, parameters), repeats=3)
    return found


def main() -> None:
    """Measure all rows and write the table."""
    torch.set_num_threads(1)
    rows = [
        ("a token", kind, length, f"{found:.2f}")
        for length in LENGTHS
        for kind, found in token_times(length).items()
    ]
    rows += [("a layer reads", kind, KEYS, f"{found:.2f}") for kind, found in kept_times().items()]
    rows += [
        ("a pass", "with a cache", tokens, f"{found:.2f}") for tokens, found in pass_times().items()
    ]
    for row in rows:
        print(*row, flush=True)
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])


if __name__ == "__main__":
    main()
