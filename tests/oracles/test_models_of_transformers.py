"""Sinks and scales against the models that use them, as transformers runs them."""

import math
from types import SimpleNamespace

import pytest
import torch
from strategies import B, D, H, S, T, mask, normal
from torch.testing import assert_close
from transformers import DeepseekV3Config, Gemma2Config, Gemma3TextConfig, GptOssConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.deepseek_v3.modeling_deepseek_v3 import DeepseekV3Attention
from transformers.models.gemma2.modeling_gemma2 import Gemma2Attention
from transformers.models.gemma3.modeling_gemma3 import Gemma3Attention
from transformers.models.gpt_oss.modeling_gpt_oss import eager_attention_forward

from course_lib.attention.dot_product import attention_scores
from course_lib.scaling import softmax_scale
from course_lib.softmax import softmax_with_sink


@pytest.mark.parametrize("masked", [True, False])
def test_softmax_with_sink_is_gpt_osss_attention(masked: bool) -> None:
    query, key, value = normal(0, B, H, T, D), normal(1, B, H, S, D), normal(2, B, H, S, D)
    layer = SimpleNamespace(sinks=normal(3, H), num_key_value_groups=1, training=False)
    blocked = torch.zeros(B, H, T, S, dtype=torch.float64)
    if masked:
        blocked = blocked.masked_fill(~mask(4, B, 1, T, S), -math.inf)  # with an empty row
    output, weights = eager_attention_forward(layer, query, key, value, blocked, softmax_scale(D))
    ours = softmax_with_sink(attention_scores(query, key) * softmax_scale(D) + blocked, layer.sinks)
    assert_close(ours, weights)
    assert_close(ours @ value, output.transpose(1, 2))  # gpt-oss returns B T H D


@pytest.mark.parametrize(
    ("attention", "config"),
    [
        (Gemma2Attention, Gemma2Config(head_dim=128, query_pre_attn_scalar=144)),  # 27B
        (Gemma3Attention, Gemma3TextConfig(head_dim=128, query_pre_attn_scalar=168)),  # 27B
        (Gemma2Attention, Gemma2Config(head_dim=256, query_pre_attn_scalar=256)),  # 2B and 9B
    ],
)
def test_softmax_scale_is_gemmas(attention: type, config: Gemma2Config | Gemma3TextConfig) -> None:
    with torch.device("meta"):
        layer = attention(config, layer_idx=0)
    ours = softmax_scale(config.head_dim, query_pre_attn_scalar=config.query_pre_attn_scalar)
    assert math.isclose(ours, layer.scaling, rel_tol=1e-15)


def test_softmax_scale_with_yarn_is_gpt_osss() -> None:
    # gpt-oss multiplies cos and sin, and by them the queries and the keys, by this factor.
    config = GptOssConfig()
    _, on_query_and_key = ROPE_INIT_FUNCTIONS["yarn"](config)
    factor = config.rope_parameters["factor"]
    assert factor == 32.0
    expected = on_query_and_key**2 / math.sqrt(config.head_dim)
    assert math.isclose(softmax_scale(config.head_dim, yarn_factor=factor), expected)


def test_softmax_scale_with_yarn_is_deepseeks() -> None:
    # DeepSeek-V3 changes the scale itself; released: factor 40, mscale_all_dim 1.
    rope = {
        "rope_type": "yarn",
        "rope_theta": 10000.0,
        "factor": 40.0,
        "original_max_position_embeddings": 4096,
        "mscale": 1.0,
        "mscale_all_dim": 1.0,
    }
    config = DeepseekV3Config(rope_parameters=rope)
    with torch.device("meta"):
        layer = DeepseekV3Attention(config, layer_idx=0)
    head_dim = config.qk_nope_head_dim + config.qk_rope_head_dim
    assert math.isclose(softmax_scale(head_dim, yarn_factor=40.0), layer.scaling)


def test_softmax_scale_is_torchs_default() -> None:
    query, key = normal(0, 1, T, D), normal(1, 1, S, D)
    values = torch.eye(S, dtype=torch.float64)[None]
    default = torch.nn.functional.scaled_dot_product_attention(query, key, values)
    given = torch.nn.functional.scaled_dot_product_attention(
        query, key, values, scale=softmax_scale(D)
    )
    assert_close(given, default)
