"""privacy-filter's released files, written small in both layouts, and read back part by part."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tiny_privacy_filter import IDS, OURS, C, E, F, L, original_layout, root_layout
from torch import Tensor
from torch.testing import assert_close

from benchmarks.living_bytes import LivingBytes
from course_lib.checkpoints.files import SafetensorsFiles
from course_lib.checkpoints.loading import load_classifier_parts
from course_lib.checkpoints.privacy_filter import privacy_filter_parts
from course_lib.config.latent import LatentAttentionConfig
from course_lib.config.rope import RopeConfig
from course_lib.model.classifier import TokenClassifier
from course_lib.positions.rope import halves_to_interleaved

Layout = Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]]
LAYOUTS = pytest.mark.parametrize("layout", [lambda root: root, original_layout])


def loaded(
    tensors: Mapping[str, Tensor], dtype: torch.dtype = torch.float32, *, is_quiet: bool = True
) -> TokenClassifier:
    return load_classifier_parts(OURS, privacy_filter_parts(tensors, OURS), dtype, is_quiet)


def without_label_biases() -> dict[str, Tensor]:
    """What both layouts can hold."""
    root = root_layout()
    return {**root, "score.bias": torch.zeros_like(root["score.bias"])}


def test_both_layouts_are_the_same_model_from_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = without_label_biases()
    save_file({n: t.contiguous() for n, t in root.items()}, tmp_path / "root.safetensors")
    original = {n: t.contiguous() for n, t in original_layout(root).items()}
    save_file(original, tmp_path / "original.safetensors")
    models = [
        loaded(SafetensorsFiles(tmp_path / f"{name}.safetensors")) for name in ("root", "original")
    ]
    assert "parts" not in capsys.readouterr().err
    for (name, mine), other in zip(
        models[0].named_parameters(), models[1].parameters(), strict=True
    ):
        # Sinks are stored with another base there, in float32.
        tolerance = 1e-6 if name.endswith("sinks") else 0.0
        assert_close(mine, other, rtol=tolerance, atol=0, msg=name)
    half = loaded(root, torch.bfloat16, is_quiet=False)
    assert f"{L + 2}/{L + 2}" in capsys.readouterr().err
    with torch.no_grad():
        logits = half(IDS)
        assert logits.dtype == torch.bfloat16
        # Eight bits a number, three layers: measured 0.04 on logits of 2.
        assert_close(logits.float(), models[0](IDS), rtol=0, atol=0.1)


def test_columns_come_in_our_order() -> None:
    root, ours = root_layout(), dict(loaded(root_layout()).named_parameters())
    theirs = root["model.layers.2.mlp.experts.gate_up_proj"].float()
    mine = ours["blocks.2.feed_forward.w_gate_up"]
    assert torch.equal(mine[..., 0::2], theirs[..., :F])  # the gates
    assert torch.equal(mine[..., 1::2], theirs[..., F:])
    for letter in "qk":
        matrix = root[f"model.layers.0.self_attn.{letter}_proj.weight"].float().T
        back = halves_to_interleaved(ours[f"blocks.0.attention.w_{letter}"], 10)
        assert torch.equal(back, matrix)
    assert torch.equal(
        ours["blocks.0.attention.w_v"], root["model.layers.0.self_attn.v_proj.weight"].float().T
    )


@LAYOUTS
def test_what_is_missing_left_over_or_misshapen_is_named(layout: Layout) -> None:
    whole = layout(root_layout())
    for name in whole:
        lacking = {key: tensor for key, tensor in whole.items() if key != name}
        if name == "block.0.attn.norm.scale":  # by which the layout is known
            continue
        with pytest.raises(ValueError, match=re.escape(f"{name!r} is missing")):
            loaded(lacking)
    with pytest.raises(ValueError, match=r"the first is 'vision\.weight'"):
        loaded({**whole, "vision.weight": torch.zeros(3)})
    ends = {"1.attn.sinks", "1.self_attn.sinks", "1.mlp.out.weight", "1.mlp.experts.down_proj"}
    places = {"sinks": ("attention.sinks", (6,)), "down": ("feed_forward.w_down", (E, F, C))}
    for name in (name for name in whole if any(name.endswith(end) for end in ends)):
        place, shape = places["sinks" if name.endswith("sinks") else "down"]
        words = f"'blocks.1.{place}' has (5,) and its place {shape}"
        with pytest.raises(ValueError, match=re.escape(words)):
            loaded({**whole, name: torch.zeros(5)})
    odd = next(name for name in whole if "1." in name and ("k_proj.w" in name or "qkv.w" in name))
    with pytest.raises(ValueError, match=r"whole heads, head_dim each|\(H \+ 2 G\) D columns"):
        loaded({**whole, odd: torch.zeros(13, C)})


@LAYOUTS
def test_beyond_the_model_no_more_than_a_layer_is_held(layout: Layout) -> None:
    class Copied(dict[str, Tensor]):
        def __getitem__(self, name: str) -> Tensor:
            return super().__getitem__(name).clone()

    tensors = Copied(layout(root_layout()))
    model = loaded(tensors, torch.bfloat16)
    of_a_layer = sum(parameter.nbytes for parameter in model.blocks[0].parameters())
    of_all = sum(parameter.nbytes for parameter in model.parameters())
    del model
    with LivingBytes() as living:
        model = loaded(tensors, torch.bfloat16)
    # Besides: rotations' frequencies, D / 2 numbers in float64, and the fused biases of queries,
    # keys and values, of which a part is still in use.
    besides = L * (5 * 8 + 100 * 2)
    assert living.most <= of_all + of_a_layer + besides
    assert living.now <= of_all + besides
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_layer_of_another_kind_is_refused() -> None:
    latent = LatentAttentionConfig(
        num_heads=2,
        head_dim=4,
        value_dim=4,
        latent_dim=4,
        rope=RopeConfig(base=1e4, rotary_dim=2),
    )
    layers = (OURS.layers[0], replace(OURS.layers[0], attention=latent), OURS.layers[2])
    with pytest.raises(ValueError, match=r"layer 1 of 3 has LatentAttentionConfig"):
        replace(OURS, layers=layers)
