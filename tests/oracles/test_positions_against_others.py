"""Positions against transformers' models, complex numbers and the tables that others build."""

import math

import pytest
import torch
from hypothesis import given
from strategies import B, H, S, T, normal, seeds
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close
from transformers import (
    DeepseekV3Config,
    GPTNeoXConfig,
    GptOssConfig,
    LlamaConfig,
    PhiConfig,
    Qwen3Config,
)
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.bloom import modeling_bloom
from transformers.models.deepseek_v3 import modeling_deepseek_v3
from transformers.models.glm import modeling_glm
from transformers.models.gpt_neox import modeling_gpt_neox
from transformers.models.gpt_oss import modeling_gpt_oss
from transformers.models.llama import modeling_llama
from transformers.models.m2m_100.modeling_m2m_100 import M2M100SinusoidalPositionalEmbedding
from transformers.models.marian.modeling_marian import MarianSinusoidalPositionalEmbedding
from transformers.models.mpt.modeling_mpt import build_mpt_alibi_tensor
from transformers.models.phi import modeling_phi
from transformers.models.xlm.modeling_xlm import create_sinusoidal_embeddings

from course_lib.masks import causal_mask
from course_lib.positions.absolute import learned, sinusoidal
from course_lib.positions.alibi import alibi_bias, alibi_slopes
from course_lib.positions.rope import (
    halves_to_interleaved,
    interleaved_to_halves,
    rope,
    rope_inv_freq,
    rotate,
)
from course_lib.positions.rope_scaling import (
    interpolated_inv_freq,
    llama3_inv_freq,
    ntk_inv_freq,
    yarn_inv_freq,
    yarn_inv_freq_truncated,
)
from course_lib.positions.rotation_table import rotate_by_table, rotation_table
from course_lib.softmax import masked_softmax

D = 16
#: Neither in order nor from zero.
POSITIONS = torch.tensor([40, 3, 7])


def largest_error(ours: Tensor, theirs: Tensor) -> float:
    """Absolute up to one, relative beyond it."""
    size = theirs.double().abs().clamp(min=1.0)
    return ((ours.double() - theirs.double()).abs() / size).max().item()


# Added


@pytest.mark.parametrize("d_model", [512, 64, 6])
def test_sinusoidal_is_xlms(d_model: int) -> None:
    theirs = torch.empty(512, d_model)
    create_sinusoidal_embeddings(512, d_model, theirs)
    assert largest_error(sinusoidal(512, d_model), theirs) < 6e-8  # measured: 0


@pytest.mark.parametrize("d_model", [512, 7])
def test_sinusoidal_is_marians_with_the_sines_first(d_model: int) -> None:
    embedding = MarianSinusoidalPositionalEmbedding(128, d_model)
    theirs = embedding.create_weight()
    ours = sinusoidal(128, d_model)
    ours = torch.cat([ours[:, 0::2], ours[:, 1::2]], dim=-1)
    assert largest_error(ours, theirs) < 6e-8  # measured: 0


def test_tensor2tensors_waves_are_others() -> None:
    """The formula of its get_timing_signal_1d, which ends at the base itself: at C = 8, 1e-4."""
    d_model = 8
    steps = torch.arange(d_model // 2, dtype=torch.float64)
    rates = torch.exp(-steps * math.log(10000.0) / (d_model // 2 - 1))
    ours = sinusoidal(2, d_model, dtype=torch.float64)[1]
    slowest = torch.atan2(ours[-2], ours[-1])  # radians per position
    assert_close(torch.stack([slowest, rates[-1]]), torch.tensor([1e-3, 1e-4]).double())
    other = sinusoidal(2, d_model, 10000.0 ** (d_model / (d_model - 2)), dtype=torch.float64)[1]
    assert_close(torch.atan2(other[0::2], other[1::2]), rates)


def test_m2m100_spreads_the_waves_otherwise() -> None:
    """Its last wave is the base itself, b^(2i/(C-2)): another base gives the same waves."""
    theirs = M2M100SinusoidalPositionalEmbedding.get_embedding(128, 64)
    ours = sinusoidal(128, 64, 10000.0 ** (64 / 62))
    ours = torch.cat([ours[:, 0::2], ours[:, 1::2]], dim=-1)
    # M2M100's angles are float32: at 128 the last digit is 8e-6. Measured: 6.4e-6.
    assert largest_error(ours, theirs) < 1e-5
    plain = sinusoidal(128, 64)
    assert largest_error(torch.cat([plain[:, 0::2], plain[:, 1::2]], dim=-1), theirs) > 0.1


def test_learned_is_torchs_embedding() -> None:
    table, positions = normal(0, S, D), torch.tensor([4, 0, 4, 2])
    assert torch.equal(learned(table, positions), functional.embedding(positions, table))


# Added to the scores


@pytest.mark.parametrize("num_heads", [1, 2, 3, 6, 8, 12, 16, 20, 25, 32, 40, 112])
def test_alibi_slopes_are_blooms(num_heads: int) -> None:
    theirs = modeling_bloom._get_alibi_slopes(num_heads, torch.device("cpu"))
    if num_heads in (1, 2, 8):  # powers of two, exact
        assert torch.equal(alibi_slopes(num_heads), theirs)
    # BLOOM multiplies a rounded ratio with itself up to 64 times. Measured: 5.0e-7 of the slope.
    assert_close(alibi_slopes(num_heads), theirs, rtol=1e-6, atol=0.0)
    mpt = build_mpt_alibi_tensor(num_heads, 2)
    assert_close(alibi_slopes(num_heads), -mpt[:, 0, 0], rtol=1.2e-7, atol=0.0)  # measured: 7e-8


@pytest.mark.parametrize("num_heads", [8, 12])
def test_alibi_bias_gives_blooms_weights(num_heads: int) -> None:
    """BLOOM adds slope times position: another bias, the same weights."""
    scores = normal(0, B, num_heads, T, S)
    attended = torch.ones(1, S)
    theirs = modeling_bloom.build_alibi_tensor(attended, num_heads, torch.float64)
    causal = causal_mask(T, S)
    expected = torch.softmax((scores + theirs[:, None][:, 0]).masked_fill(~causal, -math.inf), -1)
    ours = masked_softmax(scores + alibi_bias(num_heads, T, S).double(), causal)
    assert_close(ours, expected, rtol=1e-6, atol=1e-6)  # slopes in float32
    assert_close(alibi_bias(num_heads, 1, S), build_mpt_alibi_tensor(num_heads, S))


# Rotated


def cos_sin(module: torch.nn.Module, x: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    return module(x, positions[None])


@pytest.mark.parametrize("base", [10000.0, 500000.0])
def test_rope_is_llamas(base: float) -> None:
    rope_parameters = {"rope_type": "default", "rope_theta": base}
    config = LlamaConfig(
        hidden_size=4 * D, num_attention_heads=4, head_dim=D, rope_parameters=rope_parameters
    )
    module = modeling_llama.LlamaRotaryEmbedding(config)
    assert_close(rope_inv_freq(D, base).float(), module.inv_freq, rtol=2e-7, atol=0.0)
    query, key = (normal(seed, B, H, T, D, dtype=torch.float32) for seed in (0, 1))
    theirs = modeling_llama.apply_rotary_pos_emb(query, key, *cos_sin(module, query, POSITIONS))
    for ours, expected in zip(
        (rope(query, POSITIONS, base), rope(key, POSITIONS, base)), theirs, strict=True
    ):
        # Its angles are float32: at 40 radians the last digit is 4e-6. Measured: 1.1e-6.
        assert largest_error(ours, expected) < 4e-6
    table = rotation_table(POSITIONS, rope_inv_freq(D, base))
    for ours, expected in zip(table, cos_sin(module, query, POSITIONS), strict=True):
        assert largest_error(torch.cat([ours, ours], -1), expected[0]) < 4e-6
    assert largest_error(rotate_by_table(query, table), theirs[0]) < 4e-6
    near = torch.tensor([0, 1, 2])
    theirs = modeling_llama.apply_rotary_pos_emb(query, key, *cos_sin(module, query, near))
    assert largest_error(rope(query, near, base), theirs[0]) < 3e-7  # measured: 1.9e-7


@pytest.mark.parametrize("position", [0, 40, 5000, 131_069])
def test_rope_is_a_complex_product(position: int) -> None:
    """In float32 to the last digit at any position, where float32 angles lose up to 0.004."""
    x, positions = normal(0, B, H, T, D, dtype=torch.float32), position + torch.arange(T)
    pairs = torch.complex(x[..., : D // 2].double(), x[..., D // 2 :].double())
    angles = torch.outer(positions.double(), 10000.0 ** (-torch.arange(0, D, 2).double() / D))
    turned = pairs * torch.polar(torch.ones_like(angles), angles)
    error = largest_error(rope(x, positions, 10000.0), torch.cat([turned.real, turned.imag], -1))
    assert error < 2e-7  # measured: at most 1.2e-7


@given(seed=seeds)
def test_interleaved_weights_are_converted(seed: int) -> None:
    """The scores of interleaved rotation, as complex numbers, from reordered columns."""
    x, w_q, w_k = normal(seed, T, 11), normal(seed + 1, 11, H * D), normal(seed + 2, 11, H * D)
    angles = torch.outer(POSITIONS.double(), 100.0 ** (-torch.arange(0, D, 2).double() / D))
    turn = torch.polar(torch.ones_like(angles), angles)

    def interleaved(w: Tensor) -> Tensor:
        pairs = torch.view_as_complex((x @ w).view(T, H, D // 2, 2).transpose(0, 1).contiguous())
        return torch.view_as_real(pairs * turn).flatten(-2)

    def halves(w: Tensor) -> Tensor:
        heads = (x @ interleaved_to_halves(w, D)).view(T, H, D).transpose(0, 1)
        return rope(heads, POSITIONS, 100.0)

    assert_close(halves(w_q) @ halves(w_k).mT, interleaved(w_q) @ interleaved(w_k).mT)
    assert_close(halves_to_interleaved(halves(w_q), D), interleaved(w_q))


def test_interleaved_rotation_of_part_of_a_head_is_glms() -> None:
    rotary_dim, query = 6, normal(0, B, H, T, D)
    angles = torch.outer(POSITIONS.double(), rope_inv_freq(rotary_dim, 100.0))
    both = torch.cat([angles, angles], dim=-1)[None]
    theirs, _ = modeling_glm.apply_rotary_pos_emb(query, query, both.cos(), both.sin())
    halves = interleaved_to_halves(query, D, rotary_dim)
    turned = rotate(halves, POSITIONS, rope_inv_freq(rotary_dim, 100.0))
    assert_close(halves_to_interleaved(turned, D, rotary_dim), theirs)


def test_deepseeks_interleaved_keys_come_out_in_halves() -> None:
    query = normal(0, B, H, T, D)
    angles = torch.outer(POSITIONS.double(), rope_inv_freq(D, 10000.0))
    both = torch.cat([angles, angles], dim=-1)[None]
    theirs, _ = modeling_deepseek_v3.apply_rotary_pos_emb_interleave(
        query, query, both.cos(), both.sin()
    )
    assert_close(rope(interleaved_to_halves(query, D), POSITIONS, 10000.0), theirs)


def test_partial_rotation_is_gpt_neoxs_and_phis() -> None:
    query = normal(0, B, H, T, D)
    for share, config_class, models in (
        (0.25, GPTNeoXConfig, (modeling_gpt_neox, "GPTNeoXRotaryEmbedding")),
        (0.5, PhiConfig, (modeling_phi, "PhiRotaryEmbedding")),
    ):
        module, name = models
        rope_parameters = {
            "rope_type": "default",
            "rope_theta": 10000.0,
            "partial_rotary_factor": share,
        }
        config = config_class(
            hidden_size=H * D, num_attention_heads=H, rope_parameters=rope_parameters
        )
        embedding = getattr(module, name)(config)
        inv_freq = rope_inv_freq(int(share * D), 10000.0)
        assert_close(inv_freq.float(), embedding.inv_freq)
        cosine, sine = cos_sin(embedding, query, POSITIONS)
        rotary_dim = cosine.shape[-1]
        assert rotary_dim == share * D
        if module is modeling_gpt_neox:
            theirs, _ = module.apply_rotary_pos_emb(query, query, cosine, sine)
        else:  # Phi splits the head before
            first, rest = query[..., :rotary_dim], query[..., rotary_dim:]
            turned, _ = module.apply_rotary_pos_emb(first, first, cosine, sine)
            theirs = torch.cat([turned, rest], dim=-1)
        # Its angles are float32, as are its sines: at 40 radians the last digit is 4e-6.
        assert largest_error(rotate(query, POSITIONS, inv_freq), theirs) < 4e-6


# Stretched


def theirs_of(kind: str, config: object) -> tuple[Tensor, float]:
    return ROPE_INIT_FUNCTIONS[kind](config)


def llama_config(**rope_parameters: object) -> LlamaConfig:
    return LlamaConfig(
        hidden_size=4096,
        num_attention_heads=32,
        max_position_embeddings=4096,
        rope_parameters=rope_parameters,
    )


def test_interpolation_is_transformers_linear_scaling() -> None:
    config = llama_config(rope_type="linear", rope_theta=10000.0, factor=4.0)
    theirs, concentration = theirs_of("linear", config)
    ours = interpolated_inv_freq(rope_inv_freq(128, 10000.0), 4.0)
    assert concentration == 1.0
    assert_close(ours.float(), theirs, rtol=3e-7, atol=0.0)  # theirs are computed in float32


@pytest.mark.parametrize("times", [1, 2, 8])
def test_ntk_is_transformers_dynamic_scaling(times: int) -> None:
    """For a text of n contexts and a factor f it stretches by f n - (f - 1)."""
    config = llama_config(rope_type="dynamic", rope_theta=10000.0, factor=4.0)
    theirs, _ = ROPE_INIT_FUNCTIONS["dynamic"](config, seq_len=4096 * times)
    assert_close(ntk_inv_freq(128, 10000.0, 4.0 * times - 3.0).float(), theirs, rtol=1e-6, atol=0)


@pytest.mark.parametrize("factor", [8.0, 32.0])  # Llama 3.1 and 3.2
def test_llama3_is_transformers(factor: float) -> None:
    given = {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
    config = llama_config(
        rope_type="llama3",
        rope_theta=500000.0,
        factor=factor,
        original_max_position_embeddings=8192,
        **given,
    )
    theirs, _ = theirs_of("llama3", config)
    ours = llama3_inv_freq(rope_inv_freq(128, 500000.0), factor, context=8192, **given)
    assert_close(ours.float(), theirs, rtol=1e-6, atol=0.0)  # theirs are computed in float32


def test_yarn_is_gpt_osss() -> None:
    config = GptOssConfig()
    assert config.rope_parameters["truncate"] is False
    theirs, concentration = theirs_of("yarn", config)
    settings = (64, 150000.0, 4096, 32.0, 1.0, 32.0)
    ours, ours_concentration = yarn_inv_freq(*settings)
    # Theirs are computed in float32. Measured: 1.1e-7 of the frequency, 3.7e-9 at most.
    assert_close(ours.float(), theirs, rtol=3e-7, atol=0.0)
    assert math.isclose(ours_concentration, concentration)
    truncated, _ = yarn_inv_freq_truncated(*settings)
    assert not torch.allclose(truncated.float(), theirs, rtol=1e-3, atol=0.0)


def test_yarn_rotates_as_gpt_oss_does() -> None:
    module = modeling_gpt_oss.GptOssRotaryEmbedding(GptOssConfig())
    query = normal(0, B, H, T, 64, dtype=torch.float32)
    cosine, sine = cos_sin(module, query, POSITIONS)
    theirs, _ = modeling_gpt_oss.apply_rotary_pos_emb(query, query, cosine, sine)
    ours = rotate(query, POSITIONS, *yarn_inv_freq(64, 150000.0, 4096, 32.0, 1.0, 32.0))
    # Its angles are float32: at 40 radians the last digit is 4e-6. Measured: 1.8e-6.
    assert largest_error(ours, theirs) < 4e-6


@pytest.mark.parametrize(
    ("config_class", "settings"),
    [
        (Qwen3Config, (128, 1000000.0, 32768, 4.0, 1.0, 32.0)),
        (DeepseekV3Config, (64, 10000.0, 4096, 40.0, 1.0, 32.0)),
        (LlamaConfig, (128, 10000.0, 64, 8.0, 1.0, 32.0)),  # the ramp starts before the first pair
        (LlamaConfig, (16, 10.0, 2048, 8.0, 1.0, 8.0)),  # and ends behind the last one
    ],
)
@pytest.mark.parametrize("truncate", [True, False])
def test_yarn_is_transformers(
    config_class: type, settings: tuple[float, ...], truncate: bool
) -> None:
    rotary_dim, base, context, factor, alpha, beta = settings
    parameters = {
        "rope_type": "yarn",
        "rope_theta": base,
        "factor": factor,
        "original_max_position_embeddings": context,
        "beta_fast": beta,
        "beta_slow": alpha,
        "truncate": truncate,
    }
    config = config_class(rope_parameters=parameters, max_position_embeddings=int(context * factor))
    config.head_dim = rotary_dim
    theirs, concentration = theirs_of("yarn", config)
    yarn = yarn_inv_freq_truncated if truncate else yarn_inv_freq
    ours, ours_concentration = yarn(*settings)
    assert_close(ours.float(), theirs, rtol=1e-6, atol=0.0)
    assert math.isclose(ours_concentration, concentration)
