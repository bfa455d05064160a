"""Tiny architectures with experts or latent attention, theirs and ours."""

from collections.abc import Callable
from dataclasses import replace

import transformers as hf
from tiny_parts import (
    CONTEXT,
    EXPERTS,
    HEADS,
    NORMED,
    PARTLY,
    RMS,
    WINDOW,
    Architecture,
    D,
    F,
    H,
    L,
    alike,
    decoder_of,
    layer_of,
    model_of,
    rope_of,
)
from torch import nn

from course_lib.checkpoints.deepseek import from_deepseek
from course_lib.config.attention_parts import (
    Biases,
    Softmax,
)
from course_lib.config.experts import (
    AffinityMixtureConfig,
    ClampedMixtureConfig,
    GatedMixtureConfig,
)
from course_lib.config.latent import LatentAttentionConfig
from course_lib.config.norms import (
    HeadQKNorm,
    ProjectionQKNorm,
)
from course_lib.config.rope import RopeConfig, YarnScaling
from course_lib.zoo.gpt_oss import gpt_oss_layers

#: Not rotated, of a value, of the latent vector, rotated.
DEEPSEEK_D, DEEPSEEK_DV, DEEPSEEK_DC, DEEPSEEK_DR = 10, 14, 20, 8


def _deepseek(model: type[nn.Module], config: type, **changes: object) -> Callable[[], nn.Module]:
    """Without experts, unless asked for: every layer is dense, as the first of V2-Lite is."""
    sizes = {
        "num_key_value_heads": H,
        "head_dim": DEEPSEEK_DR,
        "first_k_dense_replace": L,
        "kv_lora_rank": DEEPSEEK_DC,
        "q_lora_rank": None,
        "qk_nope_head_dim": DEEPSEEK_D,
        "qk_rope_head_dim": DEEPSEEK_DR,
        "v_head_dim": DEEPSEEK_DV,
        "tie_word_embeddings": False,
    }
    return model_of(model, config, **{**sizes, **changes})


DEEPSEEK = alike(
    layer_of(
        LatentAttentionConfig(
            num_heads=H,
            head_dim=DEEPSEEK_D,
            value_dim=DEEPSEEK_DV,
            latent_dim=DEEPSEEK_DC,
            rope=RopeConfig(base=1e4, rotary_dim=DEEPSEEK_DR),
        )
    )
)


DEEPSEEK_DCQ = 26
DEEPSEEK_EXPERTS = AffinityMixtureConfig(
    num_experts=EXPERTS,
    experts_per_token=3,
    d_ff=20,
    num_shared=1,
    weight_factor=2.5,
    num_groups=3,
    groups_kept=2,
)


MIXED: dict[str, Architecture] = {
    "Qwen3 MoE": Architecture(
        theirs=model_of(
            hf.Qwen3MoeForCausalLM,
            hf.Qwen3MoeConfig,
            num_experts=EXPERTS,
            num_experts_per_tok=3,
            moe_intermediate_size=20,
            norm_topk_prob=True,
            experts_implementation="eager",
        ),
        ours=alike(
            layer_of(
                NORMED,
                feed_forward=GatedMixtureConfig(num_experts=EXPERTS, experts_per_token=3, d_ff=20),
            )
        ),
    ),
    "Mixtral": Architecture(
        theirs=model_of(
            hf.MixtralForCausalLM,
            hf.MixtralConfig,
            sliding_window=None,
            num_local_experts=EXPERTS,
            num_experts_per_tok=2,
            experts_implementation="eager",
        ),
        ours=alike(
            layer_of(
                feed_forward=GatedMixtureConfig(num_experts=EXPERTS, experts_per_token=2, d_ff=F)
            )
        ),
    ),
    "GLM-4.5": Architecture(
        theirs=model_of(
            hf.Glm4MoeForCausalLM,
            hf.Glm4MoeConfig,
            rope_parameters=rope_of(1e4, partial_rotary_factor=0.4),
            attention_bias=True,
            use_qk_norm=True,
            first_k_dense_replace=2,
            n_routed_experts=EXPERTS,
            num_experts_per_tok=3,
            n_group=3,
            topk_group=2,
            n_shared_experts=2,
            moe_intermediate_size=20,
            norm_topk_prob=True,
            routed_scaling_factor=2.5,
            experts_implementation="eager",
        ),
        ours=decoder_of(
            *[
                layer_of(
                    replace(
                        HEADS,
                        rope=PARTLY,
                        qk_norm=HeadQKNorm(norm=RMS),
                        biases=Biases.QUERY_KEY_VALUE,
                    ),
                    **(
                        {}
                        if number < 2
                        else {
                            "feed_forward": AffinityMixtureConfig(
                                num_experts=EXPERTS,
                                experts_per_token=3,
                                d_ff=20,
                                num_shared=2,
                                weight_factor=2.5,
                                num_groups=3,
                                groups_kept=2,
                            )
                        }
                    ),
                )
                for number in range(L)
            ]
        ),
    ),
    "MiniMax-M2": Architecture(
        theirs=model_of(
            hf.MiniMaxM2ForCausalLM,
            hf.MiniMaxM2Config,
            rope_parameters=rope_of(1e4, partial_rotary_factor=0.4),
            num_local_experts=EXPERTS,
            num_experts_per_tok=4,
            experts_implementation="eager",
        ),
        ours=alike(
            layer_of(
                replace(
                    HEADS,
                    rope=PARTLY,
                    qk_norm=ProjectionQKNorm(norm=RMS),
                ),
                feed_forward=AffinityMixtureConfig(
                    num_experts=EXPERTS, experts_per_token=4, d_ff=F
                ),
            )
        ),
    ),
    "gpt-oss": Architecture(
        theirs=model_of(
            hf.GptOssForCausalLM,
            hf.GptOssConfig,
            rms_norm_eps=1e-5,
            rope_parameters=rope_of(
                15e4,
                rope_type="yarn",
                factor=4.0,
                beta_fast=32.0,
                beta_slow=1.0,
                truncate=False,
                original_max_position_embeddings=CONTEXT // 4,
            ),
            sliding_window=WINDOW,
            layer_types=["sliding_attention", "full_attention"] * 4,
            num_local_experts=EXPERTS,
            num_experts_per_tok=4,
            experts_implementation="eager",
            num_hidden_layers=8,
        ),
        ours=decoder_of(
            *gpt_oss_layers(
                8,
                replace(
                    HEADS,
                    biases=Biases.ALL,
                    softmax=Softmax.WITH_SINKS,
                    rope=RopeConfig(
                        base=15e4,
                        rotary_dim=D,
                        scaling=YarnScaling(
                            factor=4.0,
                            context=CONTEXT // 4,
                            alpha=1.0,
                            beta=32.0,
                            is_truncated=False,
                        ),
                    ),
                ),
                ClampedMixtureConfig(num_experts=EXPERTS, experts_per_token=4, d_ff=F),
                WINDOW,
            )
        ),
    ),
    "DeepSeek-V2": Architecture(
        theirs=_deepseek(hf.DeepseekV2ForCausalLM, hf.DeepseekV2Config),
        ours=DEEPSEEK,
        convert=from_deepseek,
    ),
    "DeepSeek-V3": Architecture(
        theirs=_deepseek(hf.DeepseekV3ForCausalLM, hf.DeepseekV3Config),
        ours=DEEPSEEK,
        convert=from_deepseek,
    ),
    "DeepSeek-V3 with experts": Architecture(
        theirs=_deepseek(
            hf.DeepseekV3ForCausalLM,
            hf.DeepseekV3Config,
            first_k_dense_replace=3,
            q_lora_rank=DEEPSEEK_DCQ,
            n_routed_experts=EXPERTS,
            num_experts_per_tok=3,
            n_group=3,
            topk_group=2,
            n_shared_experts=1,
            moe_intermediate_size=20,
            norm_topk_prob=True,
            routed_scaling_factor=2.5,
            experts_implementation="eager",
        ),
        ours=decoder_of(
            *[
                replace(
                    layer,
                    attention=replace(layer.attention, query_latent_dim=DEEPSEEK_DCQ),
                    feed_forward=layer.feed_forward if number < 3 else DEEPSEEK_EXPERTS,
                )
                for number, layer in enumerate(DEEPSEEK.layers)
            ]
        ),
        convert=from_deepseek,
    ),
}
