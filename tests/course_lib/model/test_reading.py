"""A reading: each answer is right, is made once, and is refused where it is of other positions."""

from collections import Counter

import pytest
import torch
from strategies import normal
from tiny_models import ARCHITECTURES, make_pair
from tiny_parts import WINDOW, L, V
from torch.testing import assert_close

from course_lib.cache.growing import KVCache
from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.attention_parts import Chunk, Everything, Window
from course_lib.config.rope import RopeConfig, YarnScaling
from course_lib.documents import document_mask
from course_lib.masks import causal_mask, window_mask
from course_lib.model import reading as lib
from course_lib.model.attention_modules.causal import CausalAttention
from course_lib.model.rotary import Rotation, rope_frequencies
from course_lib.positions.alibi import alibi_bias
from course_lib.positions.rotation_table import rotation_table

CPU = torch.device("cpu")
ROPE = RopeConfig(base=1e4, rotary_dim=8)
YARN = RopeConfig(
    base=150_000.0,
    rotary_dim=64,
    scaling=YarnScaling(factor=32.0, context=4096, alpha=1.0, beta=32.0, is_truncated=False),
)


@pytest.mark.parametrize("rope", [ROPE, YARN])
def test_its_answers_are_the_functions(rope: RopeConfig) -> None:
    reading = lib.Reading(3, 4, CPU)
    assert torch.equal(reading.positions, torch.arange(3, 7))
    table = rotation_table(torch.arange(3, 7), *rope_frequencies(rope))
    assert all(map(torch.equal, reading.table(Rotation.of(rope)), table))
    assert torch.equal(reading.may_attend(Everything(), 7), causal_mask(4, 7))
    assert torch.equal(reading.may_attend(Window(size=2), 5), window_mask(4, 5, 2))
    for dtype in (torch.float32, torch.float64):
        bias = reading.distance_bias(6, 7, dtype)
        assert bias.dtype == dtype
        assert torch.equal(bias, alibi_bias(6, 4, 7, dtype=dtype))


def test_what_differs_has_answers_of_its_own() -> None:
    reading = lib.Reading(0, 4, CPU)
    masks = [reading.may_attend(*asked) for asked in ((Everything(), 4), (Window(size=2), 4))]
    assert not torch.equal(*masks)
    assert reading.may_attend(Window(size=2), 6).shape == (4, 6)
    slow = RopeConfig(base=1e6, rotary_dim=8)
    tables = [reading.table(Rotation.of(rope))[0] for rope in (ROPE, slow)]
    assert not torch.equal(*tables)
    assert reading.distance_bias(3, 4, torch.float32).shape == (3, 4, 4)
    assert reading.distance_bias(6, 4, torch.float32).shape == (6, 4, 4)


def test_a_chunk_is_a_document_of_its_own() -> None:
    for size in (1, 3, 4, 40):
        whole = document_mask(torch.arange(11) // size)
        for start, num_keys in ((0, 11), (6, 11), (6, 8), (10, 4)):
            found = lib.Reading(start, 11 - start, CPU).may_attend(Chunk(size=size), num_keys)
            assert torch.equal(found, whole[start:, 11 - num_keys :])
        # Never beyond what a cache of as many tokens keeps.
        assert not (whole & ~window_mask(11, 11, size)).any()
    assert torch.equal(document_mask(torch.arange(11) // 40), causal_mask(11, 11))


def test_frequencies_have_numbers_where_the_weights_have_none() -> None:
    with torch.device("meta"):
        rotation = Rotation.of(ROPE)
    assert rotation.inv_freq.device == CPU
    assert Rotation.of(ROPE) == rotation
    assert hash(Rotation.of(ROPE)) == hash(rotation)


#: Architecture -> distinct rotations and distinct reaches among its seven layers.
DISTINCT = {
    "GPT-2": (0, 1),
    "Llama 3": (1, 1),
    "Mistral": (1, 1),
    "SmolLM3": (1, 1),
    "Gemma 2": (1, 2),
    "Gemma 3": (2, 2),
    "Llama 4": (1, 2),
    "Qwen3-Next": (1, 1),
}


@pytest.mark.parametrize("name", DISTINCT)
def test_a_forward_pass_makes_each_once_for_all_layers(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: Counter[str] = Counter()
    for function in ("rotation_table", "causal_mask", "window_mask"):
        original = getattr(lib, function)

        def counted(*given: object, f=original, n=function, **named: object) -> object:
            made[n] += 1
            return f(*given, **named)

        monkeypatch.setattr(lib, function, counted)
    model, ids = make_pair(name)[1], torch.arange(9)[None] % V
    assert len(model.blocks) == L > 2
    with torch.no_grad():
        expected = model(ids)
        assert (made["rotation_table"], made["causal_mask"] + made["window_mask"]) == DISTINCT[name]
        made.clear()
        caches = model.new_caches()
        logits = torch.cat([model(chunk, caches) for chunk in ids.split([7, 2], dim=1)], dim=1)
    assert_close(logits, expected, rtol=1e-4, atol=1e-4)
    rotations, reaches = DISTINCT[name]
    assert made["rotation_table"] == 2 * rotations
    assert made["causal_mask"] + made["window_mask"] == 2 * reaches
    assert WINDOW < 7
    assert set(DISTINCT) <= set(ARCHITECTURES)


def test_a_layer_by_itself_makes_its_own() -> None:
    config = CausalAttentionConfig(num_heads=3, num_kv_heads=3, head_dim=8, rope=ROPE)
    module = CausalAttention(config, 11).double()
    with torch.no_grad():
        for seed, weight in enumerate(module.parameters()):
            weight.copy_(normal(seed, *weight.shape))
    x = normal(9, 2, 5, 11)
    assert torch.equal(module(x), module(x, reading=lib.Reading(0, 5, CPU)))
    for reading in (lib.Reading(1, 5, CPU), lib.Reading(0, 4, CPU)):
        message = (
            rf"T={len(reading.positions)} tokens from position {reading.start} and .* T=5 from 0"
        )
        with pytest.raises(ValueError, match=message):
            module(x, reading=reading)
    cache = KVCache()
    with torch.no_grad():
        module(x[:, :3], cache)
        with pytest.raises(ValueError, match=r"from position 0 and the layer T=2 from 3; .*\(2, 2"):
            module(x[:, 3:], cache, lib.Reading(0, 2, CPU))
    assert cache.length == 3  # what was refused left no trace
