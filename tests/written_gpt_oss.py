"""A small gpt-oss checkpoint in both layouts of the release, and its files."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from course_lib.config.experts import ClampedMixtureConfig
from course_lib.zoo.gpt_oss import GPT_OSS_20B, gpt_oss_layers

V, C, H, G, D, F, E, L = 11, 32, 4, 2, 64, 96, 3, 4
HEADS = replace(GPT_OSS_20B.layers[0].attention, num_heads=H, num_kv_heads=G)
EXPERTS = ClampedMixtureConfig(num_experts=E, experts_per_token=2, d_ff=F)
CONFIG = replace(
    GPT_OSS_20B,
    vocab_size=V,
    d_model=C,
    layers=gpt_oss_layers(L, HEADS, EXPERTS, window=4),
)
IDS = torch.randint(0, V, (2, 9), generator=torch.Generator().manual_seed(1))


def drawn(seed: int = 0) -> Callable[..., Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return lambda *shape: torch.randn(shape, generator=generator).bfloat16()


def packed(generator: torch.Generator, *shape: int) -> tuple[Tensor, Tensor]:
    """The blocks and scales of a matrix [E, out, in / 32]."""
    blocks = torch.randint(0, 256, (*shape, 16), generator=generator).to(torch.uint8)
    return blocks, torch.randint(120, 126, shape, generator=generator).to(torch.uint8)


def root_layout() -> dict[str, Tensor]:
    """As the release's root has it: Llama's names, experts in blocks."""
    normal, generator = drawn(), torch.Generator().manual_seed(9)
    state = {
        "model.embed_tokens.weight": normal(V, C),
        "lm_head.weight": normal(V, C),
        "model.norm.weight": normal(C),
    }
    for layer in range(L):
        start = f"model.layers.{layer}"
        for norm in ("input_layernorm", "post_attention_layernorm"):
            state[f"{start}.{norm}.weight"] = normal(C)
        sizes = {"q": (H * D, C), "k": (G * D, C), "v": (G * D, C), "o": (C, H * D)}
        for letter, (out, entering) in sizes.items():
            state[f"{start}.self_attn.{letter}_proj.weight"] = normal(out, entering)
            state[f"{start}.self_attn.{letter}_proj.bias"] = normal(out)
        state[f"{start}.self_attn.sinks"] = normal(H)
        state[f"{start}.mlp.router.weight"] = normal(E, C)
        state[f"{start}.mlp.router.bias"] = normal(E)
        for part, out, entering in (("gate_up", 2 * F, C), ("down", C, F)):
            name = f"{start}.mlp.experts.{part}_proj"
            state[f"{name}_bias"] = normal(E, out)
            blocks, scales = packed(generator, E, out, entering // 32)
            state[f"{name}_blocks"], state[f"{name}_scales"] = blocks, scales
    return state


def original_layout(root: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors as the folder original/ names them, queries, keys and values in one."""
    state = {
        "embedding.weight": root["model.embed_tokens.weight"],
        "unembedding.weight": root["lm_head.weight"],
        "norm.scale": root["model.norm.weight"],
    }
    for layer in range(L):
        theirs, start = f"block.{layer}", f"model.layers.{layer}"
        for kind in ("weight", "bias"):
            three = [root[f"{start}.self_attn.{letter}_proj.{kind}"] for letter in "qkv"]
            state[f"{theirs}.attn.qkv.{kind}"] = torch.cat(three)
            state[f"{theirs}.attn.out.{kind}"] = root[f"{start}.self_attn.o_proj.{kind}"]
            state[f"{theirs}.mlp.gate.{kind}"] = root[f"{start}.mlp.router.{kind}"]
        state[f"{theirs}.attn.norm.scale"] = root[f"{start}.input_layernorm.weight"]
        state[f"{theirs}.mlp.norm.scale"] = root[f"{start}.post_attention_layernorm.weight"]
        state[f"{theirs}.attn.sinks"] = root[f"{start}.self_attn.sinks"]
        for number, part in ((1, "gate_up"), (2, "down")):
            name = f"{start}.mlp.experts.{part}_proj"
            state[f"{theirs}.mlp.mlp{number}_bias"] = root[f"{name}_bias"]
            for kind in ("blocks", "scales"):
                state[f"{theirs}.mlp.mlp{number}_weight.{kind}"] = root[f"{name}_{kind}"]
    return state


def written(folder: Path, state: Mapping[str, Tensor], num_files: int = 1) -> Path:
    """Write the files, and an index where there are several."""
    names = sorted(state)
    where = {}
    for number in range(num_files):
        own = names[number::num_files]
        file = f"model-{number:05}-of-{num_files:05}.safetensors"
        save_file({name: state[name].contiguous() for name in own}, folder / file)
        where |= dict.fromkeys(own, file)
    if num_files > 1:
        index = json.dumps({"metadata": {}, "weight_map": where})
        (folder / "model.safetensors.index.json").write_text(index)
    return folder
