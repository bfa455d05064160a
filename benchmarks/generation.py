"""Generating 512 tokens with and without a cache: how much faster, and the same logits.

One process for each::

    python -m benchmarks.generation
"""

import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.benchmark import Benchmark, Measured
from benchmarks.measure import Bar, Section, in_own_process, markdown
from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.decoder import DecoderConfig, Unembedding
from course_lib.config.norms import RMSNormConfig
from course_lib.config.rope import RopeConfig
from course_lib.generation.choice import greedy
from course_lib.generation.writing import continue_ids, continue_ids_without_cache
from course_lib.model.decoder import Decoder
from course_lib.model.initialise import initialise, num_parameters
from course_lib.zoo.llama import llama_layer

NEW_TOKENS, PROMPT = 512, 16
LOOPS = {"with": continue_ids, "without": continue_ids_without_cache}
LEAST_SPEED_UP = 5.0
#: The largest logits are near 4, and float32 tells both ways apart by 1e-5 (measured).
TOLERANCE = 3e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One run.

    Attributes:
        cache: "with" or "without".
        seconds: CPU seconds from the start to the logits of each token.
        parameters: of the model.
        ids: the tokens that were written.
    """

    cache: str
    seconds: list[float]
    parameters: int
    ids: list[int]


def small_decoder() -> Decoder:
    """Return a decoder of Llama's kind, its weights drawn at random."""
    attention = CausalAttentionConfig(
        num_heads=8, num_kv_heads=2, head_dim=32, rope=RopeConfig(base=10_000.0, rotary_dim=32)
    )
    config = DecoderConfig(
        vocab_size=512,
        d_model=256,
        context_length=1024,
        layers=(llama_layer(attention, d_ff=704),) * 4,
        final_norm=RMSNormConfig(eps=1e-5),
        unembedding=Unembedding.OWN,
    )
    model = Decoder(config)
    # 1/sqrt(C) keeps a vector's size: logits are far enough apart not to hang on the last bits.
    initialise(model, torch.Generator().manual_seed(0), std=config.d_model**-0.5)
    return model


def run(cache: str, new_tokens: int) -> tuple[Row, Tensor]:
    """Generate in this process.

    Args:
        cache: "with" or "without".
        new_tokens: how many.

    Returns:
        The times and the tokens; and the logits of each token, one row each.
    """
    model = small_decoder()
    prompt = torch.arange(PROMPT).unsqueeze(0)
    LOOPS[cache](model, prompt, 2, greedy)  # loads what PyTorch loads at the first call
    seconds: list[float] = []
    logits: list[Tensor] = []

    def choose(row: Tensor) -> Tensor:
        seconds.append(time.process_time() - start)
        logits.append(row)
        return greedy(row)

    start = time.process_time()
    ids = LOOPS[cache](model, prompt, new_tokens, choose)
    written = ids[0, PROMPT:].tolist()
    row = Row(cache=cache, seconds=seconds, parameters=num_parameters(model), ids=written)
    return row, torch.cat(logits)


def rows(new_tokens: int = NEW_TOKENS) -> tuple[list[Row], float]:
    """Generate with and without, each in a process of its own.

    Returns:
        The two rows, and the largest difference between their logits.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{cache}.pt" for cache in LOOPS]
        measured = [
            Row(**in_own_process("benchmarks.generation", cache, new_tokens, file))
            for cache, file in zip(LOOPS, files, strict=True)
        ]
        one, other = (torch.load(file) for file in files)
    return measured, (one - other).abs().max().item()


def section(measured: list[Row], difference: float) -> Section:
    """Tell how much faster it is with a cache."""
    kept, plain = measured
    speed_up = plain.seconds[-1] / kept.seconds[-1]
    same = kept.ids == plain.ids
    count = len(kept.ids)
    text = (
        f"A decoder of Llama's kind with {kept.parameters:,} parameters (L = 4, C = 256, H = 8, "
        f"G = 2, D = 32) continues {PROMPT} tokens by {count}, greedily, in float32."
    )
    lines = [
        [f"{row.cache} a cache", f"{row.seconds[-1]:.2f}"]
        + [f"{1e3 * step_seconds(row, first):.1f}" for first in (0, count - 32)]
        for row in measured
    ]
    header = ["", f"CPU s for {count} tokens", "ms a token, first 32", "ms a token, last 32"]
    bars = (
        Bar(
            claim=f"generating {count} tokens is at least {LEAST_SPEED_UP:.0f} times faster "
            "with a cache",
            measured=f"{speed_up:.1f} times",
            holds=speed_up >= LEAST_SPEED_UP,
        ),
        Bar(
            claim=f"the tokens are the same, and the logits within {TOLERANCE}",
            measured=f"{'same' if same else 'other'} tokens, largest difference {difference:.1e}",
            holds=same and difference <= TOLERANCE,
        ),
    )
    return Section(
        title="Generating with and without a cache",
        text=text,
        table=markdown(header, lines),
        bars=bars,
    )


def step_seconds(row: Row, first: int, steps: int = 32) -> float:
    """Return the mean CPU seconds of some tokens.

    Args:
        row: a run.
        first: the first of these tokens, from 0; the very first, the prompt's, is left out.
        steps: how many.

    Returns:
        Seconds a token.
    """
    begin, end = max(first - 1, 0), first + steps - 1
    return (row.seconds[end] - row.seconds[begin]) / (end - begin)


def measure() -> Measured:
    """Measure everything, as JSON keeps it."""
    measured, difference = rows()
    return {"rows": [asdict(row) for row in measured], "difference": difference}


def tell(measured: Measured) -> tuple[Section, ...]:
    """Set the section of the page."""
    return (section([Row(**row) for row in measured["rows"]], measured["difference"]),)


BENCHMARK = Benchmark(name="generation", minutes=1.0, measure=measure, tell=tell)

if __name__ == "__main__":
    if sys.argv[1:]:
        result, all_logits = run(sys.argv[1], int(sys.argv[2]))
        torch.save(all_logits, sys.argv[3])
        print(json.dumps(asdict(result)))
    else:
        told = section(*rows())
        print(told.table, *told.bars, sep="\n")
