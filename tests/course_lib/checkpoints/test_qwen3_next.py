"""Files of Qwen3-Next and Qwen3.5 as they are released: experts one by one, other parts beside."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tiny_models import ARCHITECTURES, make_pair
from tiny_parts import EXPERTS, L, V
from torch import Tensor
from torch.testing import assert_close

from course_lib.checkpoints.files import SafetensorsFiles
from course_lib.checkpoints.loading import load_parts
from course_lib.checkpoints.one_part import OnePartDecoder
from course_lib.checkpoints.qwen3_next import from_qwen3_next, qwen3_next_parts
from course_lib.config.attention_parts import OutputGate
from course_lib.generation.choice import greedy
from course_lib.generation.writing import continue_ids

NAMES = ("Qwen3-Next", "Qwen3.5")
STACKED = re.compile(r"(.*\.mlp\.experts)\.(gate_up|down)_proj$")


def as_released(name: str) -> dict[str, Tensor]:
    """What transformers saves, named and cut as it reads the release."""
    theirs, _ = make_pair(name)
    state: dict[str, Tensor] = {}
    for key, tensor in theirs.state_dict().items():
        stacked = STACKED.match(key)
        if stacked is None or name == "Qwen3.5":
            state[key] = tensor
            continue
        for e, matrix in enumerate(tensor):
            parts = {"down": matrix}
            if stacked[2] == "gate_up":
                parts = dict(zip(("gate", "up"), matrix.chunk(2), strict=True))
            for part, rows in parts.items():
                state[f"{stacked[1]}.{e}.{part}_proj.weight"] = rows.contiguous()
    if name == "Qwen3.5":
        prefix = "model.language_model."
        state = {key.replace("model.", prefix, 1): tensor for key, tensor in state.items()}
        state["model.visual.patch_embed.proj.weight"] = torch.ones(3, 2)
    state["mtp.fc.weight"] = torch.ones(2, 3)
    return state


@pytest.mark.parametrize("name", NAMES)
def test_a_released_file_is_read_part_by_part(name: str, tmp_path: Path) -> None:
    save_file(as_released(name), tmp_path / "model.safetensors")
    _, ours = make_pair(name)
    config, files = ARCHITECTURES[name].ours, SafetensorsFiles(tmp_path)
    assert name == "Qwen3.5" or sum("experts.8." in key for key in files) == 3 * L
    loaded = load_parts(config, qwen3_next_parts(files, config), torch.float32, is_quiet=True)
    ids = torch.arange(11)[None] % V
    with torch.no_grad():
        assert torch.equal(loaded(ids), ours(ids))
    one = OnePartDecoder(config, lambda: qwen3_next_parts(files, config), torch.float32, True)
    assert torch.equal(continue_ids(one, ids, 3, greedy), continue_ids(ours, ids, 3, greedy))


class Watched(Mapping[str, Tensor]):
    """Notes which tensors have been read."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.tensors, self.read = tensors, set[str]()

    def __getitem__(self, name: str) -> Tensor:
        self.read.add(name)
        return self.tensors[name]

    def __iter__(self):
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)

    def __contains__(self, name: object) -> bool:
        return name in self.tensors


@pytest.mark.parametrize("name", NAMES)
def test_only_what_was_yielded_has_been_read(name: str) -> None:
    watched = Watched(as_released(name))
    for number, _ in enumerate(qwen3_next_parts(watched, ARCHITECTURES[name].ours)):
        layers = {int(found[1]) for key in watched.read if (found := re.search(r"s\.(\d+)\.", key))}
        assert layers == set(range(min(number, L)))
    assert not any(key.startswith(("mtp.", "model.visual.")) for key in watched.read)


def test_the_columns_of_a_head_stand_together_in_the_file() -> None:
    """The first key head's part of the fused matrix, and the second one's, by hand."""
    state = as_released("Qwen3-Next")
    ours = from_qwen3_next(state, ARCHITECTURES["Qwen3-Next"].ours)
    fused = state["model.layers.1.linear_attn.in_proj_qkvz.weight"].T
    cut = {"w_q": (5, 0), "w_k": (5, 5), "w_v": (21, 10), "w_gate": (21, 31)}
    for name, (size, first) in cut.items():
        found = ours[f"blocks.1.attention.{name}"]
        assert torch.equal(found[:, :size], fused[:, first : first + size])
        assert torch.equal(found[:, size:], fused[:, 52 + first : 52 + first + size])
    both = state["model.layers.3.self_attn.q_proj.weight"].T
    assert torch.equal(ours["blocks.3.attention.w_q"][:, 10:20], both[:, 20:30])
    assert torch.equal(ours["blocks.3.attention.w_gate"][:, 10:20], both[:, 30:40])
    kernel = state["model.layers.0.linear_attn.conv1d.weight"]
    assert_close(ours["blocks.0.attention.kernel"][3], kernel[:, 0, 3])


def changed(layer: int, **changes: object) -> object:
    config = ARCHITECTURES["Qwen3-Next"].ours
    layers = list(config.layers)
    layers[layer] = replace(layers[layer], **changes)
    return replace(config, layers=tuple(layers))


def test_what_does_not_fit_is_refused() -> None:
    state = as_released("Qwen3-Next")
    llama = ARCHITECTURES["Llama 3"].ours.layers[0]
    with pytest.raises(ValueError, match=r"gate on their shared .*layer 2 of 7 has GatedFeedForw"):
        from_qwen3_next(state, changed(2, feed_forward=llama.feed_forward))
    with pytest.raises(ValueError, match=r"and a gate; layer 2 of 7 has CausalAttentionConfig"):
        from_qwen3_next(state, changed(2, attention=llama.attention))
    attention = ARCHITECTURES["Qwen3-Next"].ours.layers[3].attention
    without = replace(attention, output_gate=OutputGate.NONE)
    with pytest.raises(ValueError, match=r"and a gate; layer 3 of 7 has CausalAttentionConfig"):
        from_qwen3_next(state, changed(3, attention=without))
    wider = replace(attention, head_dim=12)
    message = r"the columns \(12, 12\) for each of 6 heads, 144 in all; .*\.3\..*q_proj has 120"
    with pytest.raises(ValueError, match=message):
        from_qwen3_next(state, changed(3, attention=wider))
    states = ARCHITECTURES["Qwen3-Next"].ours.layers[0].attention
    fewer = replace(states, num_key_heads=3)
    message = r"the columns \(5, 5, 14, 14\) for each of 3 heads, 114 in all; .*qkvz has 104"
    with pytest.raises(ValueError, match=message):
        from_qwen3_next(state, changed(0, attention=fewer))
    short = {key: tensor for key, tensor in state.items() if "experts.8." not in key}
    with pytest.raises(ValueError, match=r"experts\.8\.gate_proj\.weight' is missing among"):
        from_qwen3_next(short, ARCHITECTURES["Qwen3-Next"].ours)
    stranger = {**state, "model.layers.0.linear_attn.conv1d.bias": torch.ones(3)}
    with pytest.raises(ValueError, match=r"have none, the first is '.*conv1d\.bias'"):
        from_qwen3_next(stranger, ARCHITECTURES["Qwen3-Next"].ours)
    assert EXPERTS == 9
