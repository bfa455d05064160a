"""How large the models of the zoo are: exact integers, twice, and the published ones."""

from dataclasses import replace

import pytest
import torch

from course_lib.config.arrangement import Parallel
from course_lib.config.attention_parts import (
    Everything,
    OutputGate,
    QueryPreAttnScalar,
    Window,
)
from course_lib.config.rope import NoRope
from course_lib.counts.attention import attention_parameters, cache_elements, state_bytes
from course_lib.counts.decoder import (
    active_parameters,
    cache_bytes,
    cache_elements_per_token,
    decoder_parameters,
    layer_parameters,
)
from course_lib.counts.feed_forward import (
    active_feed_forward_parameters,
    feed_forward_parameters,
)
from course_lib.model.decoder import Decoder
from course_lib.model.initialise import num_parameters
from course_lib.zoo.dense import DENSE_MODELS
from course_lib.zoo.gemma import GEMMA3_27B
from course_lib.zoo.gpt import gpt_config
from course_lib.zoo.llama import LLAMA3_8B, LLAMA32_1B, MISTRAL_7B_V01
from course_lib.zoo.mixtures import MIXTURES
from course_lib.zoo.qwen import QWEN3_8B

#: Name -> parameters; those of the sizes of litgpt, nanoGPT and google/gemma_pytorch, and Olmo 3's
#: as transformers' class counts them.
PARAMETERS = {
    "GPT-2 S": 124_439_808,
    "GPT-2 M": 354_823_168,
    "GPT-2 L": 774_030_080,
    "GPT-2 XL": 1_557_611_200,
    "GPT-3 175B": 174_604_259_328,
    "Llama 2 7B": 6_738_415_616,
    "Llama 2 70B": 68_976_648_192,
    "Llama 3 8B": 8_030_261_248,
    "Llama 3.1 8B": 8_030_261_248,
    "Llama 3.1 70B": 70_553_706_496,
    "Llama 3.1 405B": 405_853_388_800,
    "Llama 3.2 1B": 1_235_814_400,
    "Mistral 7B v0.1": 7_241_732_096,
    "Mistral 7B v0.3": 7_248_023_552,
    "SmolLM3 3B": 3_075_098_624,
    "Falcon 7B": 6_921_720_704,
    "OLMo 2 7B": 7_298_617_344,
    "OLMo 2 13B": 13_716_198_400,
    "Olmo 3 7B": 7_298_011_136,
    "Olmo 3 32B": 32_233_522_176,
    "Gemma 2 2B": 2_614_341_888,
    "Gemma 2 9B": 9_241_705_984,
    "Gemma 2 27B": 27_227_128_320,
    "Gemma 3 270M": 268_098_176,
    "Gemma 3 1B": 999_885_952,
    "Gemma 3 4B": 3_880_099_328,
    "Gemma 3 12B": 11_765_788_416,
    "Gemma 3 27B": 27_009_002_240,
    "Qwen3 0.6B": 596_049_920,
    "Qwen3 1.7B": 1_720_574_976,
    "Qwen3 4B": 4_022_468_096,
    "Qwen3 8B": 8_190_735_360,
    "Qwen3 14B": 14_768_307_200,
    "Qwen3 32B": 32_762_123_264,
}
#: Name -> bytes of the cache per token in bfloat16, 4 G D L by hand; windows left out of account.
CACHED = {
    "GPT-2 S": 36_864,
    "GPT-2 M": 98_304,
    "GPT-2 L": 184_320,
    "GPT-2 XL": 307_200,
    "GPT-3 175B": 4_718_592,
    "Llama 2 7B": 524_288,
    "Llama 2 70B": 327_680,
    "Llama 3 8B": 131_072,
    "Llama 3.1 8B": 131_072,
    "Llama 3.1 70B": 327_680,
    "Llama 3.1 405B": 516_096,
    "Llama 3.2 1B": 32_768,
    "Mistral 7B v0.1": 131_072,
    "Mistral 7B v0.3": 131_072,
    "SmolLM3 3B": 73_728,
    "Falcon 7B": 8_192,
    "OLMo 2 7B": 524_288,
    "OLMo 2 13B": 819_200,
    "Olmo 3 7B": 524_288,
    "Olmo 3 32B": 262_144,
    "Gemma 2 2B": 106_496,
    "Gemma 2 9B": 344_064,
    "Gemma 2 27B": 376_832,
    "Gemma 3 270M": 18_432,
    "Gemma 3 1B": 26_624,
    "Gemma 3 4B": 139_264,
    "Gemma 3 12B": 393_216,
    "Gemma 3 27B": 507_904,
    "Qwen3 0.6B": 114_688,
    "Qwen3 1.7B": 114_688,
    "Qwen3 4B": 147_456,
    "Qwen3 8B": 147_456,
    "Qwen3 14B": 163_840,
    "Qwen3 32B": 262_144,
}


def test_every_model_of_the_zoo_has_a_published_count() -> None:
    assert set(PARAMETERS) == set(CACHED) == set(DENSE_MODELS)
    assert len(PARAMETERS) == 34


@pytest.mark.parametrize("name", DENSE_MODELS)
def test_parameters(name: str) -> None:
    config = DENSE_MODELS[name]
    assert decoder_parameters(config) == PARAMETERS[name]
    with torch.device("meta"):  # every tensor has its shape and none its numbers
        model = Decoder(config)
    assert num_parameters(model) == PARAMETERS[name]
    assert len(model.new_caches()) == config.num_layers


@pytest.mark.parametrize("name", DENSE_MODELS)
def test_cache_per_token(name: str) -> None:
    config = DENSE_MODELS[name]
    assert cache_bytes(config, 1) == CACHED[name]
    assert 2 * cache_elements_per_token(config) == CACHED[name]
    assert cache_bytes(config, 500, bytes_per_element=1) == 250 * CACHED[name]  # below any window


#: Name -> all parameters; those that a token meets, the embedding left out; cache per token.
MIXED = {
    "Mixtral 8x7B": (46_702_792_704, 12_748_853_248, 131_072),
    "Mixtral 8x22B": (140_630_071_296, 38_960_142_336, 229_376),
    "Qwen3 30B-A3B": (30_532_122_624, 3_041_867_776, 98_304),
    "Qwen3 235B-A22B": (235_093_634_560, 21_568_433_664, 192_512),
    "Qwen3-Next 80B-A3B": (79_674_391_296, 3_563_764_480, 24_576),
    "Qwen3.5 35B-A3B": (34_660_610_688, 2_946_429_568, 20_480),
    "gpt-oss-20b": (20_914_757_184, 3_608_307_264, 49_152),
    "gpt-oss-120b": (116_829_156_672, 5_132_849_472, 73_728),
    "Llama 4 Scout": (107_769_861_120, 16_138_408_960, 196_608),
    "Llama 4 Maverick": (400_711_848_960, 16_150_205_440, 196_608),
    "DeepSeek-V2-Lite": (15_706_484_224, 2_451_435_008, 31_104),
    "DeepSeek-V2": (235_741_434_880, 20_851_512_320, 69_120),
    "DeepSeek-V3": (671_026_404_352, 36_625_603_584, 70_272),
    "Kimi K2": (1_026_408_209_408, 31_687_072_768, 70_272),
    "GLM-4.5 Air": (106_852_245_504, 12_803_366_912, 188_416),
    "GLM-4.5": (352_797_814_784, 32_856_305_664, 376_832),
    "MiniMax-M2": (228_689_748_992, 10_415_940_608, 253_952),
}


def test_every_mixture_of_the_zoo_is_counted() -> None:
    assert list(MIXED) == list(MIXTURES)


@pytest.mark.parametrize("name", MIXTURES)
def test_parameters_of_mixtures(name: str) -> None:
    config, (everything, active, cached) = MIXTURES[name], MIXED[name]
    assert decoder_parameters(config) == everything
    assert active_parameters(config) == active
    assert 2 * cache_elements_per_token(config) == cached
    assert cache_bytes(config, 2) - cache_bytes(config, 1) == cached
    with torch.device("meta"):
        model = Decoder(config)
    assert num_parameters(model) == everything


def test_without_experts_all_but_the_embedding_are_active() -> None:
    dense = DENSE_MODELS["Llama 3 8B"]
    assert active_parameters(dense) == decoder_parameters(dense) - 128_256 * 4096
    assert active_parameters(LLAMA32_1B) == decoder_parameters(LLAMA32_1B)  # one table
    network = dense.layers[0].feed_forward
    assert active_feed_forward_parameters(network, 4096) == feed_forward_parameters(network, 4096)
    mixed = MIXTURES["Mixtral 8x7B"].layers[0].feed_forward
    expert, router = 3 * 4096 * 14336, 8 * 4096
    assert active_feed_forward_parameters(mixed, 4096) == 2 * expert + router
    assert feed_forward_parameters(mixed, 4096) == 8 * expert + router


def test_windows_of_gpt_oss_halve_its_cache() -> None:
    config = MIXTURES["gpt-oss-20b"]
    assert cache_bytes(config, 131_072) == 3_224_371_200
    assert 131_072 * 2 * cache_elements_per_token(config) == 6_442_450_944


def test_a_state_is_counted_once_and_not_per_token() -> None:
    config = MIXTURES["Qwen3-Next 80B-A3B"]
    # 32 states of 128 by 128 numbers in float32; 3 rows of 16 queries, 16 keys and 32 values.
    one = 4 * 32 * 128 * 128 + 2 * 3 * (16 + 16 + 32) * 128
    states = [state_bytes(layer.attention) for layer in config.layers]
    assert states == [one, one, one, 0] * 12
    assert sum(states) == 77_266_944
    assert cache_bytes(config, 0) == 0
    assert cache_bytes(config, 1) == 24_576 + 77_266_944
    assert cache_bytes(config, 262_144) == 262_144 * 24_576 + 77_266_944
    assert 77_266_944 == 3144 * 24_576  # as much as the keys and values of so many tokens
    assert state_bytes(config.layers[0].attention, 8) == 8 * (524_288 + 24_576)
    assert state_bytes(config.layers[3].attention, 8) == 0
    assert cache_elements(config.layers[0].attention, 10) == 0


def test_gates_cost_what_they_multiply() -> None:
    config = MIXTURES["Qwen3-Next 80B-A3B"]
    states, attention, experts = (
        config.layers[0].attention, config.layers[3].attention, config.layers[0].feed_forward,
    )  # fmt: skip
    rows = 2 * 2048 + 4096
    made = (2048 + 4) * rows + 2 * 2048 * 4096
    assert attention_parameters(states, 2048) == made + 2 * 2048 * 32 + 2 * 32 + 128
    plain = replace(attention, output_gate=OutputGate.NONE)
    gate = attention_parameters(attention, 2048) - attention_parameters(plain, 2048)
    assert gate == 2048 * 16 * 256
    assert feed_forward_parameters(experts, 2048) == 513 * 3 * 2048 * 512 + 2048 * 512 + 2048
    assert active_feed_forward_parameters(experts, 2048) == 11 * 3 * 2048 * 512 + 2048 * 513


def test_cache_in_bytes() -> None:
    assert cache_bytes(LLAMA3_8B, 131_072) == 16 * 2**30
    assert cache_bytes(LLAMA3_8B, 1, bytes_per_element=1) == 65_536
    assert cache_bytes(LLAMA3_8B, 0) == 0
    # A window stops the growth: at 4,096 tokens, in Mistral's every layer.
    assert cache_bytes(MISTRAL_7B_V01, 131_072) == cache_bytes(MISTRAL_7B_V01, 4096)
    assert cache_bytes(MISTRAL_7B_V01, 4095) == 4095 * 2 * 65_536
    # Gemma 3 27B: 10.4 GiB, and 62 if all its layers read everything.
    assert round(cache_bytes(GEMMA3_27B, 131_072) / 2**30, 1) == 10.4
    assert 131_072 * 2 * cache_elements_per_token(GEMMA3_27B) == 62 * 2**30


@pytest.mark.parametrize(("tokens", "size"), [(-1, 2), (5, 0)])
def test_a_cache_that_cannot_be(tokens: int, size: int) -> None:
    message = f"num_tokens is {tokens} and bytes_per_element {size}"
    with pytest.raises(ValueError, match=message):
        cache_bytes(LLAMA3_8B, tokens, size)


def test_parts_add_up() -> None:
    layer = QWEN3_8B.layers[0]
    attention = attention_parameters(layer.attention, 4096)
    assert attention == 2 * 4096 * 4096 + 2 * 4096 * 1024 + 2 * 128
    assert feed_forward_parameters(layer.feed_forward, 4096) == 3 * 4096 * 12288
    assert layer_parameters(layer, 4096) == attention + 3 * 4096 * 12288 + 2 * 4096
    total = 2 * 151_936 * 4096 + 36 * layer_parameters(layer, 4096) + 4096
    assert decoder_parameters(QWEN3_8B) == total


def test_a_tied_table_counts_once() -> None:
    assert LLAMA32_1B.is_tied
    both = decoder_parameters(LLAMA32_1B) + 128_256 * 2048
    assert both == 1_498_482_688  # what the 1.24B model would be with a second table


def test_gpt3_has_96_layers_and_not_12() -> None:
    assert decoder_parameters(gpt_config(12, 96, 12288, 50257, 2048)) == 22_387_937_280


def test_patterns_of_layers() -> None:
    reaches = [layer.attention.reach for layer in GEMMA3_27B.layers]
    assert reaches[:12] == [*[Window(size=1024)] * 5, Everything()] * 2
    reaches = [layer.attention.reach for layer in DENSE_MODELS["Gemma 2 2B"].layers]
    assert reaches[:4] == [Window(size=4096), Everything()] * 2
    ropes = [layer.attention.rope for layer in DENSE_MODELS["SmolLM3 3B"].layers]
    assert [number for number, rope in enumerate(ropes) if rope == NoRope()] == list(
        range(3, 36, 4)
    )
    scale = DENSE_MODELS["Gemma 2 27B"].layers[0].attention.scale
    assert scale == QueryPreAttnScalar(scalar=144)
    assert DENSE_MODELS["Falcon 7B"].layers[0].arrangement == Parallel()


def test_gpt2_cuts_into_equal_heads() -> None:
    with pytest.raises(ValueError, match="d_model is 10 and num_heads 3"):
        gpt_config(1, 3, 10, 5, 5)
