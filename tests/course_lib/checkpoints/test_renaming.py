"""The doors of many families: fused projections, older names, constants, and refusals."""

from dataclasses import replace

import pytest
import torch
from strategies import normal
from tiny_models import ARCHITECTURES, make_pair
from tiny_parts import CONTEXT, SMALL, C, D, G, H, L

from course_lib.checkpoints.bloom import from_bloom
from course_lib.checkpoints.gpt_neox import from_gpt_neox
from course_lib.checkpoints.interleaved import from_cohere
from course_lib.checkpoints.llama import from_llama
from course_lib.checkpoints.renaming import cut_fused
from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.latent import LatentAttentionConfig
from course_lib.config.norms import HeadQKNorm, LayerNormConfig, RMSNormConfig
from course_lib.config.rope import RopeConfig


@pytest.mark.parametrize(("num_heads", "num_kv_heads"), [(6, 2), (5, 1), (4, 4), (3, 3), (8, 2)])
def test_fused_columns_are_cut_group_by_group(num_heads: int, num_kv_heads: int) -> None:
    heads = CausalAttentionConfig(num_heads=num_heads, num_kv_heads=num_kv_heads, head_dim=D)
    shared = num_heads // num_kv_heads
    columns: dict[str, list[int]] = {"q": [], "k": [], "v": []}
    column = 0
    for _ in range(num_kv_heads):
        for letter, count in (("q", shared), ("k", 1), ("v", 1)):
            columns[letter] += range(column, column + count * D)
            column += count * D
    for fused in (normal(0, C, column), normal(1, column)):
        cut = cut_fused(fused, heads)
        for letter, wanted in columns.items():
            assert torch.equal(cut[letter], fused[..., wanted])


def test_a_fused_matrix_of_another_width_is_refused() -> None:
    heads = CausalAttentionConfig(num_heads=6, num_kv_heads=2, head_dim=5)
    message = r"with H=6, G=2 and D=5 that is 50, and it has 40; its shape is \(3, 40\)"
    with pytest.raises(ValueError, match=message):
        cut_fused(torch.zeros(3, 40), heads)


def test_one_group_in_place_of_two_is_refused() -> None:
    """It is Falcon 40B's matrix that was cut as 7B's, in silence."""
    theirs, _ = make_pair("Falcon 40B")
    architecture = ARCHITECTURES["Falcon 40B"]
    layers = tuple(
        replace(layer, attention=replace(layer.attention, num_kv_heads=1))
        for layer in architecture.ours.layers
    )
    message = rf"with H={H}, G=1 and D={SMALL} that is {8 * SMALL}, and it has {10 * SMALL}"
    with pytest.raises(ValueError, match=message):
        architecture.convert(theirs.state_dict(), replace(architecture.ours, layers=layers))


def test_the_released_names_of_gpt_neox() -> None:
    theirs, _ = make_pair("GPT-NeoX")
    state, config = theirs.state_dict(), ARCHITECTURES["GPT-NeoX"].ours
    released = {key.replace("lm_head", "embed_out"): state[key] for key in state}
    for layer in range(L):
        name = f"gpt_neox.layers.{layer}.attention"
        released[f"{name}.bias"] = torch.ones(1, 1, CONTEXT, CONTEXT, dtype=torch.bool).tril()
        released[f"{name}.masked_bias"] = torch.tensor(-1e9)
        released[f"{name}.rotary_emb.inv_freq"] = torch.ones(SMALL // 4)
    converted, expected = from_gpt_neox(released, config), from_gpt_neox(state, config)
    assert set(converted) == set(expected)
    assert all(torch.equal(converted[key], expected[key]) for key in expected)


def test_the_released_names_of_bloom() -> None:
    theirs, _ = make_pair("BLOOM")
    state, config = theirs.state_dict(), ARCHITECTURES["BLOOM"].ours
    expected = from_bloom(state, config)
    bare = {key.removeprefix("transformer."): state[key] for key in state}
    without = {key: bare[key] for key in bare if key != "lm_head.weight"}
    for released in (bare, without):
        converted = from_bloom(released, config)
        assert set(converted) == set(expected)
        assert all(torch.equal(converted[key], expected[key]) for key in expected)


def test_the_frequencies_in_older_files_of_llama_are_no_weights() -> None:
    theirs, _ = make_pair("Llama 3")
    state, config = theirs.state_dict(), ARCHITECTURES["Llama 3"].ours
    older = dict(state)
    for layer in range(L):
        older[f"model.layers.{layer}.self_attn.rotary_emb.inv_freq"] = torch.ones(D // 2)
    assert set(from_llama(older, config)) == set(from_llama(state, config))
    older["model.layers.3.self_attn.rotary_emb.sin_cached"] = torch.ones(3)
    with pytest.raises(ValueError, match=r"1 of \d+ have none, .*sin_cached"):
        from_llama(older, config)


def test_biases_that_a_configuration_does_not_name_are_left_over() -> None:
    theirs, _ = make_pair("Qwen2")
    without = ARCHITECTURES["Llama 3"].ours
    with pytest.raises(ValueError, match=rf"{3 * L} of \d+ have none, .*k_proj.bias"):
        from_llama(theirs.state_dict(), without)
    theirs, _ = make_pair("Llama 3")
    with pytest.raises(ValueError, match=r"layers.0.self_attn.q_proj.bias' is missing"):
        from_llama(theirs.state_dict(), ARCHITECTURES["Qwen2"].ours)


def test_latent_attention_is_refused_by_name() -> None:
    theirs, _ = make_pair("Llama 3")
    config = ARCHITECTURES["Llama 3"].ours
    latent = LatentAttentionConfig(
        num_heads=H,
        head_dim=D,
        value_dim=D,
        latent_dim=7,
        rope=RopeConfig(base=1e4, rotary_dim=4),
        norm=RMSNormConfig(eps=1e-6),
    )
    layers = (config.layers[0], replace(config.layers[1], attention=latent), *config.layers[2:])
    with pytest.raises(ValueError, match=f"layer 1 of {L} has LatentAttentionConfig"):
        from_llama(theirs.state_dict(), replace(config, layers=layers))


def test_cohere_with_norms_of_queries_and_keys_is_refused_by_name() -> None:
    theirs, _ = make_pair("Cohere")
    config = ARCHITECTURES["Cohere"].ours
    norm = HeadQKNorm(norm=LayerNormConfig(eps=1e-5))
    layers = tuple(
        replace(layer, attention=replace(layer.attention, qk_norm=norm)) for layer in config.layers
    )
    with pytest.raises(ValueError, match=rf"layer 0 of {L} has HeadQKNorm"):
        from_cohere(theirs.state_dict(), replace(config, layers=layers))


def test_the_groups_of_the_tiny_models_are_groups() -> None:
    assert 1 < G < H
