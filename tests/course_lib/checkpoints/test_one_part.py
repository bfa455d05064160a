"""What loading and generation hold at once, and that one layer at a time writes the same."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from written_gpt_oss import CONFIG, IDS, original_layout, root_layout, written

from benchmarks.living_bytes import LivingBytes
from course_lib.checkpoints.files import SafetensorsFiles
from course_lib.checkpoints.gpt_oss import gpt_oss_parts
from course_lib.checkpoints.loading import load_parts
from course_lib.checkpoints.mixtures import unpacked_experts
from course_lib.checkpoints.one_part import OnePartDecoder
from course_lib.config.decoder import Unembedding
from course_lib.generation.choice import greedy
from course_lib.generation.prompts import continue_prompts
from course_lib.generation.writing import continue_ids
from course_lib.model.decoder import Decoder
from course_lib.number_formats.mxfp4 import mxfp4_dequantize

Layout = Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]]
LAYOUTS = pytest.mark.parametrize("layout", [lambda root: root, original_layout])


class Copied(Mapping[str, Tensor]):
    """Hands out copies, so that what was read is counted like anything else."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.tensors = tensors

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name].clone()

    def __contains__(self, name: object) -> bool:
        return name in self.tensors

    def __iter__(self) -> Iterator[str]:
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)


def bytes_of_parts(model: Decoder) -> list[int]:
    """The embedding, each layer, what follows."""
    sizes = [0] * (CONFIG.num_layers + 2)
    for name, parameter in model.named_parameters():
        layer = re.match(r"blocks\.(\d+)\.", name)
        place = int(layer[1]) + 1 if layer else 0 if name == "embedding" else -1
        sizes[place] += parameter.nbytes
    return sizes


def one_by_one(tensors: Mapping[str, Tensor], dtype: torch.dtype = torch.float32) -> OnePartDecoder:
    return OnePartDecoder(CONFIG, lambda: gpt_oss_parts(tensors, CONFIG), dtype, is_quiet=True)


@LAYOUTS
def test_loading_holds_the_result_so_far_and_one_layer(layout: Layout, tmp_path: Path) -> None:
    copied = Copied(SafetensorsFiles(written(tmp_path, dict(layout(root_layout())))))
    sizes = bytes_of_parts(load_parts(CONFIG, gpt_oss_parts(copied, CONFIG), torch.bfloat16, True))
    with LivingBytes() as living:
        beyond: list[int] = []

        def watched() -> Iterator[dict[str, Tensor]]:
            parts = gpt_oss_parts(copied, CONFIG)
            for number in range(len(sizes)):
                living.most = 0
                yield next(parts)
                beyond.append(living.most - sum(sizes[:number]))

        model = load_parts(CONFIG, watched(), torch.bfloat16, is_quiet=True)
        # Where nothing has another dtype, what was read becomes the model itself.
        frequencies = CONFIG.num_layers * 32 * 8  # of the rotations, D / 2 numbers in float64
        assert living.now == sum(sizes) + frequencies
    assert len(beyond) == len(sizes)
    assert (
        max(beyond) <= 2 * max(sizes) + frequencies
    )  # the part itself, which stays, and one beyond it
    assert bytes_of_parts(model) == sizes


@LAYOUTS
def test_one_layer_at_a_time_writes_the_same_and_holds_one_layer(
    layout: Layout, tmp_path: Path
) -> None:
    copied = Copied(SafetensorsFiles(written(tmp_path, dict(layout(root_layout())), 3)))
    whole = load_parts(CONFIG, gpt_oss_parts(copied, CONFIG), torch.bfloat16, is_quiet=True)
    with LivingBytes() as of_the_whole:  # not its weights: they were there before
        expected = continue_ids(whole, IDS, 6, greedy)  # beyond the window of 4
    sizes = bytes_of_parts(whole)
    del whole
    model = one_by_one(copied, torch.bfloat16)
    seen: list[int] = []
    reading: list[int] = []

    def held() -> int:
        return sum(p.nbytes for p in model.parameters() if p.device.type != "meta")

    living = LivingBytes()

    def before(*_: object) -> None:  # after the model's own hook, which has read a part
        reading.append(living.most)

    def after(*_: object) -> None:
        seen.append(held())
        living.most = 0

    for module in (*model.blocks, model.final_norm):
        module.register_forward_pre_hook(before)
        module.register_forward_hook(after)
    with living:
        written_ids = continue_ids(model, IDS, 6, greedy)
    assert torch.equal(written_ids, expected)
    assert seen == 6 * sizes[1:]  # six walks, and one part in each place
    assert held() == 0
    # What one layer makes while it is read, and what the caches keep, is less than another layer.
    assert max(sizes) < max(reading) < 2 * max(sizes) < sum(sizes) / 1.5
    del model
    model = one_by_one(copied, torch.bfloat16)
    with LivingBytes() as living:
        continue_ids(model, IDS, 6, greedy)
    assert living.most <= of_the_whole.most + max(sizes)


def test_logits_prompts_and_progress_are_those_of_the_whole_model(
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = root_layout()
    whole = load_parts(CONFIG, gpt_oss_parts(root, CONFIG), torch.float32, is_quiet=True)
    model = one_by_one(root)
    with torch.no_grad():
        assert torch.equal(model(IDS), whole(IDS))
    assert not model(IDS).requires_grad
    prompts = [IDS[0], IDS[1, :4]]
    pairs = zip(
        continue_prompts(model, prompts, 3, greedy),
        continue_prompts(whole, prompts, 3, greedy),
        strict=True,
    )
    for mine, theirs in pairs:
        assert torch.equal(mine, theirs)
    assert "parts" not in capsys.readouterr().err
    OnePartDecoder(CONFIG, lambda: gpt_oss_parts(root, CONFIG), torch.float32)(IDS)
    assert re.search(r"parts:.*\d/6", capsys.readouterr().err)


def test_what_is_wrong_with_the_checkpoint_is_told_and_nothing_stays_held() -> None:
    root = root_layout()
    parts = list(gpt_oss_parts(root, CONFIG))
    for wrong, words in (
        (parts[:-1], "6 parts; it ended after 5"),
        ([*parts, parts[-1]], "6 parts; it has more"),
    ):
        model = OnePartDecoder(CONFIG, lambda wrong=wrong: wrong, torch.float32, is_quiet=True)
        with pytest.raises(ValueError, match=words):
            model(IDS)
        assert all(p.device.type == "meta" for p in model.parameters())
    unknown = {**root, "vision.weight": torch.zeros(3)}
    with pytest.raises(ValueError, match=r"the first is 'vision\.weight'"):
        one_by_one(unknown)(IDS)
    lacking = {name: t for name, t in root.items() if name != "model.layers.2.self_attn.sinks"}
    with pytest.raises(ValueError, match=r"2\.self_attn\.sinks' is missing"):
        one_by_one(lacking)(IDS)
    without = [{n: t for n, t in part.items() if n != "blocks.1.attention.w_o"} for part in parts]
    with pytest.raises(ValueError, match=r"1 of part 2 did not.*'blocks\.1\.attention\.w_o'"):
        OnePartDecoder(CONFIG, lambda: without, torch.float32, is_quiet=True)(IDS)
    tied = replace(CONFIG, unembedding=Unembedding.TIED)
    with pytest.raises(ValueError, match="table of their own; the embedding of V=11 rows is tied"):
        OnePartDecoder(tied, lambda: parts, torch.float32)


def test_experts_are_unpacked_exactly_and_one_at_a_time() -> None:
    generator = torch.Generator().manual_seed(3)
    blocks = torch.randint(0, 256, (8, 6, 2, 16), generator=generator).to(torch.uint8)
    scales = torch.randint(0, 255, (8, 6, 2), generator=generator).to(torch.uint8)
    expected = mxfp4_dequantize(blocks, scales).mT
    assert torch.equal(unpacked_experts(blocks, scales).float(), expected)
    with LivingBytes() as living:
        unpacked = unpacked_experts(blocks, scales)
    assert living.most < 2.5 * unpacked.nbytes  # all at once would be 6 times the result
    with pytest.raises(ValueError, match=r"blocks has \(8, 6, 2, 16\) and scales \(8, 6, 1\)"):
        unpacked_experts(blocks, scales[..., :1])
