"""The released files of gpt-oss, written small in both layouts, and read back part by part."""

import re
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from written_gpt_oss import CONFIG, IDS, C, D, H, original_layout, root_layout, written

from course_lib.checkpoints.files import SafetensorsFiles
from course_lib.checkpoints.gpt_oss import gpt_oss_parts
from course_lib.checkpoints.llama import from_llama
from course_lib.checkpoints.loading import load_parts
from course_lib.config.latent import LatentAttentionConfig
from course_lib.config.rope import RopeConfig
from course_lib.model.decoder import Decoder


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
    with pytest.raises(ValueError, match=r"block\.1\.attn has LatentAttentionConfig"):
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
