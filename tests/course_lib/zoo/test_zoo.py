"""What the zoo's models are made of, a second time: typed from the publications, not from the zoo.

The counts see sizes alone. Bases, factors, windows, caps, scalars and eps cost no parameter, so
every one of them stands here once more.
"""

from dataclasses import astuple, dataclass, replace
from math import isclose

import pytest

from course_lib.config.arrangement import InnerNorm, Parallel, PreNorm, SandwichNorm
from course_lib.config.attention_parts import (
    Biases,
    ByHeadDim,
    Everything,
    QueryPreAttnScalar,
    SoftCap,
    Softmax,
    Window,
)
from course_lib.config.decoder import (
    DecoderConfig,
    EmbeddingScale,
    LayerConfig,
    LearnedPositions,
    Unembedding,
)
from course_lib.config.feed_forward import GatedFeedForwardConfig, PlainFeedForwardConfig
from course_lib.config.norms import (
    HeadQKNorm,
    LayerNormConfig,
    NoQKNorm,
    NormConfig,
    ProjectionQKNorm,
    RMSNormConfig,
    UnitOffsetRMSNormConfig,
)
from course_lib.config.rope import (
    LinearScaling,
    Llama3Scaling,
    NoRope,
    RopeConfig,
    YarnScaling,
)
from course_lib.counts.decoder import cache_bytes
from course_lib.layers.activations import gelu, gelu_tanh, relu, silu
from course_lib.zoo import gemma, llama
from course_lib.zoo.dense import DENSE_MODELS

ACTIVATIONS = {"gelu": gelu, "gelu_tanh": gelu_tanh, "relu": relu, "silu": silu}
NORMS = {
    "layer norm": LayerNormConfig,
    "RMS": RMSNormConfig,
    "unit-offset RMS": UnitOffsetRMSNormConfig,
}
ARRANGEMENTS = {
    "before": PreNorm(),
    "inside": InnerNorm(),
    "both sides": SandwichNorm(),
    "parallel": Parallel(),
}
QK_NORMS = {"head": HeadQKNorm, "projection": ProjectionQKNorm}
SCALINGS = {"linear": LinearScaling, "llama3": Llama3Scaling, "yarn": YarnScaling}


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """The base; entries rotated; the scaling's kind and numbers."""

    base: float
    dim: int
    scaling: tuple[str | float, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One model: L, C, H, G, D; how many of its layers have a window, and W; and the rest.

    ``period`` is the pattern of the layers, repeated to L letters: w has the window, n has no
    rotation, g is any other.
    """

    sizes: tuple[int, int, int, int, int]
    context: int
    eps: float
    norm: str = "RMS"
    arrangement: str = "before"
    activation: str = "silu"
    is_gated: bool = True
    is_tied: bool = False
    has_bias: bool = False
    has_learned_positions: bool = False
    rotation: Rotation | None = None
    window_rotation: Rotation | None = None
    period: str = "g"
    num_windowed: int = 0
    window: int | None = None
    scalar: float | None = None
    qk_norm: str | None = None
    score_cap: float | None = None
    logit_cap: float | None = None
    embedding_scale_squared: int = 1


def _gpt(layers: int, width: int, heads: int, context: int = 1024) -> Facts:
    return Facts(
        sizes=(layers, width, heads, heads, 128 if width == 12288 else 64),
        context=context,
        eps=1e-5,
        norm="layer norm",
        activation="gelu_tanh",
        is_gated=False,
        is_tied=True,
        has_bias=True,
        has_learned_positions=True,
    )


def _llama(
    sizes: tuple[int, int, int, int, int],
    context: int,
    base: float,
    scaling: tuple[str | float, ...] | None = None,
) -> Facts:
    rotation = Rotation(base=base, dim=sizes[-1], scaling=scaling)
    return Facts(sizes=sizes, context=context, eps=1e-5, rotation=rotation)


def _olmo2(layers: int, width: int, heads: int) -> Facts:
    return Facts(
        sizes=(layers, width, heads, heads, 128),
        context=4096,
        eps=1e-6,
        arrangement="inside",
        rotation=Rotation(base=5e5, dim=128),
        qk_norm="projection",
    )


def _olmo3(sizes: tuple[int, int, int, int, int], num_windowed: int) -> Facts:
    return Facts(
        sizes=sizes,
        context=65536,
        eps=1e-6,
        arrangement="inside",
        rotation=Rotation(base=5e5, dim=128, scaling=("yarn", 8.0, 8192, 1.0, 32.0, True)),
        window_rotation=Rotation(base=5e5, dim=128),
        period="wwwg",
        num_windowed=num_windowed,
        window=4096,
        qk_norm="projection",
    )


def _gemma2(sizes: tuple[int, int, int, int, int], num_windowed: int, scalar: float) -> Facts:
    return Facts(
        sizes=sizes,
        context=8192,
        eps=1e-6,
        norm="unit-offset RMS",
        arrangement="both sides",
        activation="gelu_tanh",
        is_tied=True,
        rotation=Rotation(base=1e4, dim=sizes[-1]),
        window_rotation=Rotation(base=1e4, dim=sizes[-1]),
        period="wg",
        num_windowed=num_windowed,
        window=4096,
        scalar=scalar,
        score_cap=50.0,
        logit_cap=30.0,
        embedding_scale_squared=sizes[1],
    )


def _gemma3(
    sizes: tuple[int, int, int, int, int],
    num_windowed: int,
    window: int,
    context: int,
    *,
    scaling: tuple[str | float, ...] | None = ("linear", 8.0),
    scalar: float = 256,
) -> Facts:
    return Facts(
        sizes=sizes,
        context=context,
        eps=1e-6,
        norm="unit-offset RMS",
        arrangement="both sides",
        activation="gelu_tanh",
        is_tied=True,
        rotation=Rotation(base=1e6, dim=sizes[-1], scaling=scaling),
        window_rotation=Rotation(base=1e4, dim=sizes[-1]),
        period="wwwwwg",
        num_windowed=num_windowed,
        window=window,
        scalar=scalar,
        qk_norm="head",
        embedding_scale_squared=sizes[1],
    )


def _qwen3(layers: int, width: int, heads: int, *, is_tied: bool) -> Facts:
    return Facts(
        sizes=(layers, width, heads, 8, 128),
        context=40960,
        eps=1e-6,
        is_tied=is_tied,
        rotation=Rotation(base=1e6, dim=128),
        qk_norm="head",
    )


LLAMA31 = ("llama3", 8.0, 1.0, 4.0, 8192)
LLAMA32 = ("llama3", 32.0, 1.0, 4.0, 8192)
MISTRAL = (32, 4096, 32, 8, 128)
#: Sources: GPT-2's and GPT-3's papers; litgpt ``config.py`` (Llama, Mistral, Falcon, OLMo 2, Gemma,
#: Qwen3); google/gemma_pytorch ``config.py``; huggingface/blog ``smollm3.md``.
FACTS = {
    "GPT-2 S": _gpt(12, 768, 12),
    "GPT-2 M": _gpt(24, 1024, 16),
    "GPT-2 L": _gpt(36, 1280, 20),
    "GPT-2 XL": _gpt(48, 1600, 25),
    "GPT-3 175B": _gpt(96, 12288, 96, context=2048),
    "Llama 2 7B": _llama((32, 4096, 32, 32, 128), 4096, 1e4),
    "Llama 2 70B": _llama((80, 8192, 64, 8, 128), 4096, 1e4),
    "Llama 3 8B": _llama((32, 4096, 32, 8, 128), 8192, 5e5),
    "Llama 3.1 8B": _llama((32, 4096, 32, 8, 128), 131_072, 5e5, LLAMA31),
    "Llama 3.1 70B": _llama((80, 8192, 64, 8, 128), 131_072, 5e5, LLAMA31),
    "Llama 3.1 405B": _llama((126, 16384, 128, 8, 128), 131_072, 5e5, LLAMA31),
    "Llama 3.2 1B": replace(
        _llama((16, 2048, 32, 8, 64), 131_072, 5e5, LLAMA32),
        is_tied=True,
    ),
    "Mistral 7B v0.1": replace(
        _llama(MISTRAL, 32_768, 1e4),
        rotation=None,
        window_rotation=Rotation(base=1e4, dim=128),
        period="w",
        num_windowed=32,
        window=4096,
    ),
    "Mistral 7B v0.3": _llama(MISTRAL, 32_768, 1e6),
    "SmolLM3 3B": replace(
        _llama((36, 2048, 16, 4, 128), 65_536, 5e6),
        eps=1e-6,
        is_tied=True,
        period="gggn",
    ),
    "Falcon 7B": Facts(
        sizes=(32, 4544, 71, 1, 64),
        context=2048,
        eps=1e-5,
        norm="layer norm",
        arrangement="parallel",
        activation="gelu",
        is_gated=False,
        is_tied=True,
        rotation=Rotation(base=1e4, dim=64),
    ),
    "OLMo 2 7B": _olmo2(32, 4096, 32),
    "OLMo 2 13B": _olmo2(40, 5120, 40),
    "Olmo 3 7B": _olmo3((32, 4096, 32, 32, 128), 24),
    "Olmo 3 32B": _olmo3((64, 5120, 40, 8, 128), 48),
    "Gemma 2 2B": _gemma2((26, 2304, 8, 4, 256), 13, 256),
    "Gemma 2 9B": _gemma2((42, 3584, 16, 8, 256), 21, 256),
    "Gemma 2 27B": _gemma2((46, 4608, 32, 16, 128), 23, 144),
    "Gemma 3 270M": _gemma3((18, 640, 4, 1, 256), 15, 512, 32_768, scaling=None),
    "Gemma 3 1B": _gemma3((26, 1152, 4, 1, 256), 22, 512, 32_768, scaling=None),
    "Gemma 3 4B": _gemma3((34, 2560, 8, 4, 256), 29, 1024, 131_072),
    "Gemma 3 12B": _gemma3((48, 3840, 16, 8, 256), 40, 1024, 131_072),
    "Gemma 3 27B": _gemma3((62, 5376, 32, 16, 128), 52, 1024, 131_072, scalar=168),
    "Qwen3 0.6B": _qwen3(28, 1024, 16, is_tied=True),
    "Qwen3 1.7B": _qwen3(28, 2048, 16, is_tied=True),
    "Qwen3 4B": _qwen3(36, 2560, 32, is_tied=True),
    "Qwen3 8B": _qwen3(36, 4096, 32, is_tied=False),
    "Qwen3 14B": _qwen3(40, 5120, 40, is_tied=False),
    "Qwen3 32B": _qwen3(64, 5120, 64, is_tied=False),
}


def _letters(facts: Facts) -> str:
    num_layers = facts.sizes[0]
    return (facts.period * num_layers)[:num_layers]


def _cap(bound: float | None) -> tuple[SoftCap, ...]:
    return () if bound is None else (SoftCap(cap=bound),)


def _same_norm(config: NormConfig, facts: Facts) -> None:
    assert type(config) is NORMS[facts.norm]
    assert config.eps == facts.eps


def assert_same_rotation(layer: LayerConfig, expected: Rotation | None) -> None:
    rope = layer.attention.rope
    if expected is None:
        assert rope == NoRope()
        return
    assert isinstance(rope, RopeConfig)
    assert (rope.base, rope.rotary_dim) == (expected.base, expected.dim)
    if expected.scaling is None:
        assert rope.scaling is None
        return
    kind, *numbers = expected.scaling
    assert type(rope.scaling) is SCALINGS[str(kind)]
    assert astuple(rope.scaling) == tuple(numbers)


def test_every_model_of_the_zoo_is_described_twice() -> None:
    assert list(FACTS) == list(DENSE_MODELS)
    assert len(FACTS) == 34


@pytest.mark.parametrize("name", FACTS)
def test_sizes_and_tables(name: str) -> None:
    config, facts = DENSE_MODELS[name], FACTS[name]
    num_layers, width, num_heads, num_kv_heads, head_dim = facts.sizes
    assert (config.num_layers, config.d_model) == (num_layers, width)
    for layer in config.layers:
        heads = layer.attention
        sizes = (heads.num_heads, heads.num_kv_heads, heads.head_dim)
        assert sizes == (num_heads, num_kv_heads, head_dim)
    assert config.context_length == facts.context
    assert config.unembedding is (Unembedding.TIED if facts.is_tied else Unembedding.OWN)
    assert config.is_tied is facts.is_tied
    assert config.logit_steps == _cap(facts.logit_cap)
    if facts.has_learned_positions:
        assert config.embedding_steps == (LearnedPositions(),)
    elif facts.embedding_scale_squared == 1:
        assert config.embedding_steps == ()
    else:
        (scale,) = config.embedding_steps
        assert isinstance(scale, EmbeddingScale)
        assert isclose(scale.factor**2, facts.embedding_scale_squared, rel_tol=1e-12)


@pytest.mark.parametrize("name", FACTS)
def test_windows(name: str) -> None:
    config, facts = DENSE_MODELS[name], FACTS[name]
    reaches = [layer.attention.reach for layer in config.layers]
    window = Everything() if facts.window is None else Window(size=facts.window)
    assert reaches == [window if letter == "w" else Everything() for letter in _letters(facts)]
    assert sum(reach != Everything() for reach in reaches) == facts.num_windowed
    # Far beyond every window, a layer with one keeps W tokens and each other keeps all.
    tokens, (num_layers, _, _, num_kv_heads, head_dim) = 1_000_003, facts.sizes
    kept = facts.num_windowed * (facts.window or 0) + (num_layers - facts.num_windowed) * tokens
    assert cache_bytes(config, tokens) == 4 * num_kv_heads * head_dim * kept


@pytest.mark.parametrize("name", FACTS)
def test_rotations(name: str) -> None:
    config, facts = DENSE_MODELS[name], FACTS[name]
    expected = {"g": facts.rotation, "w": facts.window_rotation, "n": None}
    for layer, letter in zip(config.layers, _letters(facts), strict=True):
        assert_same_rotation(layer, expected[letter])


@pytest.mark.parametrize("name", FACTS)
def test_norms(name: str) -> None:
    config, facts = DENSE_MODELS[name], FACTS[name]
    _same_norm(config.final_norm, facts)
    for layer in config.layers:
        _same_norm(layer.norm, facts)
        assert layer.arrangement == ARRANGEMENTS[facts.arrangement]
        qk_norm = layer.attention.qk_norm
        if facts.qk_norm is None:
            assert qk_norm == NoQKNorm()
        else:
            assert type(qk_norm) is QK_NORMS[facts.qk_norm]
            _same_norm(qk_norm.norm, facts)


@pytest.mark.parametrize("name", FACTS)
def test_scores_and_activations(name: str) -> None:
    config, facts = DENSE_MODELS[name], FACTS[name]
    scale = ByHeadDim() if facts.scalar is None else QueryPreAttnScalar(scalar=facts.scalar)
    for layer in config.layers:
        assert layer.attention.scale == scale
        assert layer.attention.score_steps == _cap(facts.score_cap)
        assert layer.attention.biases is (Biases.ALL if facts.has_bias else Biases.NONE)
        assert layer.attention.softmax is Softmax.PLAIN
        network = layer.feed_forward
        assert network.activation is ACTIVATIONS[facts.activation]
        if facts.is_gated:
            assert type(network) is GatedFeedForwardConfig
        else:
            assert type(network) is PlainFeedForwardConfig
            assert network.has_bias is facts.has_bias


@pytest.mark.parametrize("family", [gemma, llama])
def test_every_preset_has_a_name(family: object) -> None:
    presets = [value for value in vars(family).values() if isinstance(value, DecoderConfig)]
    assert presets
    assert all(any(preset is model for model in DENSE_MODELS.values()) for preset in presets)
