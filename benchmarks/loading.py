"""Loading a checkpoint in gpt-oss's format: how much is held beyond the model that comes of it.

::

    python -m benchmarks.loading
"""

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.benchmark import Benchmark, Measured
from benchmarks.compared import at_most
from benchmarks.living_bytes import LivingBytes
from benchmarks.measure import Section, in_own_process, markdown
from course_lib.checkpoints.files import SafetensorsFiles
from course_lib.checkpoints.gpt_oss import gpt_oss_parts
from course_lib.checkpoints.loading import load_parts
from course_lib.config.decoder import DecoderConfig
from course_lib.config.experts import ClampedMixtureConfig
from course_lib.zoo.gpt_oss import GPT_OSS_20B, gpt_oss_layers

VOCAB, WIDTH, HEADS, KV_HEADS, HEAD_DIM, D_FF, NUM_EXPERTS, DEPTH = 64, 256, 4, 2, 64, 512, 8, 6
MOST = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What was held, in bytes of living tensors.

    Attributes:
        file: of the checkpoint on disk.
        model: of the loaded model.
        layer: of its largest layer.
        beyond: the most, at any moment, beyond the model as far as it was loaded by then.
    """

    file: int
    model: int
    layer: int
    beyond: int


def config() -> DecoderConfig:
    """Return a small model of gpt-oss's kind."""
    heads = replace(
        GPT_OSS_20B.layers[0].attention,
        num_heads=HEADS, num_kv_heads=KV_HEADS, head_dim=HEAD_DIM,
    )  # fmt: skip
    experts = ClampedMixtureConfig(num_experts=NUM_EXPERTS, experts_per_token=2, d_ff=D_FF)
    layers = gpt_oss_layers(DEPTH, heads, experts, window=16)
    return replace(GPT_OSS_20B, vocab_size=VOCAB, d_model=WIDTH, layers=layers)


def checkpoint() -> dict[str, Tensor]:
    """Return random tensors with the names, shapes and kinds of the release's root."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).bfloat16()

    def bytes_of(*shape: int) -> Tensor:
        return torch.randint(100, 126, shape, generator=generator).to(torch.uint8)

    state = {
        "model.embed_tokens.weight": normal(VOCAB, WIDTH),
        "lm_head.weight": normal(VOCAB, WIDTH),
        "model.norm.weight": normal(WIDTH),
    }
    inner = {"q": HEADS * HEAD_DIM, "k": KV_HEADS * HEAD_DIM, "v": KV_HEADS * HEAD_DIM}
    for layer in range(DEPTH):
        start = f"model.layers.{layer}"
        state[f"{start}.input_layernorm.weight"] = normal(WIDTH)
        state[f"{start}.post_attention_layernorm.weight"] = normal(WIDTH)
        for letter, size in inner.items():
            state[f"{start}.self_attn.{letter}_proj.weight"] = normal(size, WIDTH)
            state[f"{start}.self_attn.{letter}_proj.bias"] = normal(size)
        state[f"{start}.self_attn.o_proj.weight"] = normal(WIDTH, HEADS * HEAD_DIM)
        state[f"{start}.self_attn.o_proj.bias"] = normal(WIDTH)
        state[f"{start}.self_attn.sinks"] = normal(HEADS)
        state[f"{start}.mlp.router.weight"] = normal(NUM_EXPERTS, WIDTH)
        state[f"{start}.mlp.router.bias"] = normal(NUM_EXPERTS)
        for part, out, entering in (("gate_up", 2 * D_FF, WIDTH), ("down", WIDTH, D_FF)):
            name = f"{start}.mlp.experts.{part}_proj"
            state[f"{name}_bias"] = normal(NUM_EXPERTS, out)
            state[f"{name}_blocks"] = bytes_of(NUM_EXPERTS, out, entering // 32, 16)
            state[f"{name}_scales"] = bytes_of(NUM_EXPERTS, out, entering // 32)
    return state


class Copied(Mapping[str, Tensor]):
    """Hands out copies of what is mapped into memory, so that what was read is counted."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.tensors = tensors

    def __getitem__(self, name: str) -> Tensor:
        """Read a tensor."""
        return self.tensors[name].clone()

    def __iter__(self) -> Iterator[str]:
        """Walk over the names."""
        return iter(self.tensors)

    def __len__(self) -> int:
        """Count the tensors."""
        return len(self.tensors)


def measure_here() -> Row:
    """Write the checkpoint, load it, and count."""
    sizes: list[int] = []
    beyond: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.safetensors"
        save_file(checkpoint(), file)
        tensors = Copied(SafetensorsFiles(file))
        with LivingBytes() as living:

            def watched() -> Iterator[dict[str, Tensor]]:
                for part in gpt_oss_parts(tensors, config()):
                    sizes.append(sum(tensor.nbytes for tensor in part.values()))
                    yield part
                    # What was read, turned and put into the model since the last time:
                    beyond.append(living.most - sum(sizes))
                    living.most = 0

            model = load_parts(config(), watched(), torch.bfloat16, is_quiet=True)
        whole = sum(parameter.nbytes for parameter in model.parameters())
        return Row(
            file=file.stat().st_size,
            model=whole,
            layer=max(sizes),
            beyond=max(beyond),
        )


def measure() -> Measured:
    """Measure in a process of its own."""
    return {"loading": in_own_process("benchmarks.loading", "here")}


def tell(measured: Measured) -> tuple[Section, ...]:
    """Set the section of the page."""
    row = Row(**measured["loading"])
    text = (
        f"A random checkpoint with the names, shapes and MXFP4 blocks of gpt-oss's release: "
        f"L = {DEPTH}, C = {WIDTH}, E = {NUM_EXPERTS}, F = {D_FF}; loaded as bfloat16, one layer "
        "after another. Counted are the bytes of all living tensors at every operation."
    )
    lines = [
        ["the file", f"{row.file:,}"],
        ["the model", f"{row.model:,}"],
        ["one of its layers", f"{row.layer:,}"],
        ["most at once beyond the layers that are loaded", f"{row.beyond:,}"],
    ]
    share = {"layers": row.beyond / row.layer}
    bar = at_most("loading gpt-oss's format holds, beyond the result", share, MOST)
    table = markdown(["bytes", ""], lines)
    return (Section(title="Loading a checkpoint", text=text, table=table, bars=(bar,)),)


BENCHMARK = Benchmark(name="loading", minutes=0.2, measure=measure, tell=tell)

if __name__ == "__main__":
    print(json.dumps(asdict(measure_here())))
