"""The released files of gpt-oss, written small in both layouts, and read back part by part."""

import json
import re
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from course_lib.checkpoints.files import SafetensorsFiles
from course_lib.checkpoints.gpt_oss import gpt_oss_parts
from course_lib.checkpoints.llama import from_llama
from course_lib.checkpoints.loading import load_parts
from course_lib.config.experts import ClampedMixtureConfig
from course_lib.config.latent import LatentAttentionConfig
from course_lib.config.rope import RopeConfig
from course_lib.model.decoder import Decoder
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


def loaded(tensors: Mapping[str, Tensor], dtype: torch.dtype = torch.float32) -> Decoder:
    return load_parts(CONFIG, gpt_oss_parts(tensors, CONFIG), dtype, is_quiet=True)


@pytest.mark.parametrize("num_files", [1, 3])
@pytest.mark.parametrize("layout", [lambda root: root, original_layout])
def test_both_layouts_are_the_model_whose_tensors_they_hold(
    layout: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]], num_files: int, tmp_path: Path
) -> None:
    root = root_layout()
    expected = Decoder(CONFIG)
    expected.load_state_dict({n: t.float() for n, t in from_llama(root, CONFIG).items()})
    files = SafetensorsFiles(written(tmp_path, layout(root), num_files))
    model = loaded(files)
    with torch.no_grad():
        assert torch.equal(model(IDS), expected(IDS))
        half = loaded(files, torch.bfloat16)
        assert half(IDS).dtype == torch.bfloat16
    for parameter, wide in zip(half.parameters(), expected.parameters(), strict=True):
        assert torch.equal(parameter, wide.bfloat16())
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_one_file_may_be_named_itself(tmp_path: Path) -> None:
    (file,) = written(tmp_path, root_layout()).iterdir()
    assert len(SafetensorsFiles(file)) == len(root_layout())


class Watched(Mapping[str, Tensor]):
    """Counts the bytes of tensors that were handed out and are still held by somebody."""

    def __init__(self, files: Mapping[str, Tensor]) -> None:
        self.files, self.held, self.most = files, 0, 0

    def __getitem__(self, name: str) -> Tensor:
        tensor = self.files[name].clone()
        self.held += tensor.nbytes
        self.most = max(self.most, self.held)
        weakref.finalize(tensor, self._let_go, tensor.nbytes)
        return tensor

    def _let_go(self, size: int) -> None:
        self.held -= size

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)


@pytest.mark.parametrize("layout", [lambda root: root, original_layout])
def test_beyond_the_model_no_more_than_a_layer_is_held(
    layout: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]], tmp_path: Path
) -> None:
    files = SafetensorsFiles(written(tmp_path, layout(root_layout())))
    watched = Watched(files)
    model = loaded(watched)  # in float32, so none of what was read is a parameter itself
    by_layer: dict[str, int] = {}
    for name, tensor in files.items():
        found = re.match(r"(model\.layers|block)\.\d+\.", name)
        place = found[0] if found else name
        by_layer[place] = by_layer.get(place, 0) + tensor.nbytes
    assert watched.most <= max(by_layer.values())
    assert watched.held == 0
    assert sum(parameter.nbytes for parameter in model.parameters()) > 3 * watched.most


# What is wrong with a checkpoint


def test_what_is_missing_left_over_or_misshapen_is_named(tmp_path: Path) -> None:
    for layout in (root_layout(), original_layout(root_layout())):
        for name in layout:
            if re.search(r"\.(0|1|3)\.", name) and "1." in name:
                lacking = {key: tensor for key, tensor in layout.items() if key != name}
                with pytest.raises(ValueError, match=re.escape(f"{name!r} is missing")):
                    loaded(lacking)
        with pytest.raises(ValueError, match=r"the first is 'vision\.weight'"):
            loaded({**layout, "vision.weight": torch.zeros(3)})
        sinks = next(
            name for name in layout if name.endswith("2.attn.sinks") or "2.self_attn.s" in name
        )
        words = r"'blocks\.2\.attention\.sinks' has \(5,\) and its place \(4,\)"
        with pytest.raises(ValueError, match=words):
            loaded({**layout, sinks: torch.zeros(5)})
    wide = {**original_layout(root_layout()), "block.1.attn.qkv.weight": torch.zeros(C, C)}
    with pytest.raises(ValueError, match=r"that is 512, and block\.1\.attn\.qkv has 32"):
        loaded(wide)


def test_another_model_is_refused() -> None:
    latent = LatentAttentionConfig(
        num_heads=H, head_dim=D, value_dim=D, latent_dim=5, rope=RopeConfig(base=1e4, rotary_dim=4)
    )
    layers = (CONFIG.layers[0], replace(CONFIG.layers[1], attention=latent))
    parts = gpt_oss_parts(original_layout(root_layout()), replace(CONFIG, layers=layers))
    with pytest.raises(ValueError, match="layer 1 has LatentAttentionConfig"):
        list(parts)
    whole = list(gpt_oss_parts(root_layout(), CONFIG))
    with pytest.raises(ValueError, match=r"1 did not, the first is 'embedding'"):
        load_parts(CONFIG, whole[1:], torch.float32, is_quiet=True)
    with pytest.raises(ValueError, match=r"'embedding' of shape \(11, 32\) is not"):
        load_parts(CONFIG, [whole[0], whole[0]], torch.float32, is_quiet=True)


def test_files_that_are_cut_off_absent_or_twice_are_named(tmp_path: Path) -> None:
    files = written(tmp_path, root_layout(), 2)
    first, second = sorted(files.glob("*.safetensors"))
    whole = second.read_bytes()
    for cut in (0, 5, 500, len(whole) - 1):
        second.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match=rf"{second.name} is no whole safetensors file.*{cut}"):
            SafetensorsFiles(files)
    second.unlink()
    with pytest.raises(ValueError, match=f"1 of 2 do not, the first is '{second.name}'"):
        SafetensorsFiles(files)
    second.write_bytes(first.read_bytes())
    with pytest.raises(ValueError, match="has each tensor once"):
        SafetensorsFiles(files)
    save_file({"other": torch.zeros(2)}, second)
    with pytest.raises(ValueError, match=r"\d+ tensors are in none, the first is"):
        SafetensorsFiles(files)
    index = files / "model.safetensors.index.json"
    index.write_text('{"metadata": {}}')
    with pytest.raises(ValueError, match="an index is JSON with a weight_map"):
        SafetensorsFiles(files)
    index.unlink()
    with pytest.raises(ValueError, match="there are 2 files and no index"):
        SafetensorsFiles(files)
