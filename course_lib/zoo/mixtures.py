"""The models with mixtures of experts by their names."""

from course_lib.config.decoder import DecoderConfig
from course_lib.zoo import deepseek, glm, gpt_oss, llama4, mixtral, qwen, qwen3_next

__all__ = ["MIXTURES"]

#: Name -> configuration, family by family, smaller sizes first.
MIXTURES: dict[str, DecoderConfig] = {
    "Mixtral 8x7B": mixtral.MIXTRAL_8X7B,
    "Mixtral 8x22B": mixtral.MIXTRAL_8X22B,
    "Qwen3 30B-A3B": qwen.QWEN3_30B_A3B,
    "Qwen3 235B-A22B": qwen.QWEN3_235B_A22B,
    "Qwen3-Next 80B-A3B": qwen3_next.QWEN3_NEXT_80B_A3B,
    "Qwen3.5 35B-A3B": qwen3_next.QWEN35_35B_A3B,
    "gpt-oss-20b": gpt_oss.GPT_OSS_20B,
    "gpt-oss-120b": gpt_oss.GPT_OSS_120B,
    "Llama 4 Scout": llama4.LLAMA4_SCOUT,
    "Llama 4 Maverick": llama4.LLAMA4_MAVERICK,
    "DeepSeek-V2-Lite": deepseek.DEEPSEEK_V2_LITE,
    "DeepSeek-V2": deepseek.DEEPSEEK_V2,
    "DeepSeek-V3": deepseek.DEEPSEEK_V3,
    "Kimi K2": deepseek.KIMI_K2,
    "GLM-4.5 Air": glm.GLM45_AIR,
    "GLM-4.5": glm.GLM45,
    "MiniMax-M2": glm.MINIMAX_M2,
}
