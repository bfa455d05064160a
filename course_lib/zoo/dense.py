"""The dense models by their names."""

from course_lib.config.decoder import DecoderConfig
from course_lib.zoo import falcon, gemma, gpt, llama, olmo, qwen

__all__ = ["DENSE_MODELS"]

#: Name -> configuration, family by family; within one, older versions and smaller sizes first.
DENSE_MODELS: dict[str, DecoderConfig] = {
    "GPT-2 S": gpt.GPT2_S,
    "GPT-2 M": gpt.GPT2_M,
    "GPT-2 L": gpt.GPT2_L,
    "GPT-2 XL": gpt.GPT2_XL,
    "GPT-3 175B": gpt.GPT3_175B,
    "Llama 2 7B": llama.LLAMA2_7B,
    "Llama 2 70B": llama.LLAMA2_70B,
    "Llama 3 8B": llama.LLAMA3_8B,
    "Llama 3.1 8B": llama.LLAMA31_8B,
    "Llama 3.1 70B": llama.LLAMA31_70B,
    "Llama 3.1 405B": llama.LLAMA31_405B,
    "Llama 3.2 1B": llama.LLAMA32_1B,
    "Mistral 7B v0.1": llama.MISTRAL_7B_V01,
    "Mistral 7B v0.3": llama.MISTRAL_7B_V03,
    "SmolLM3 3B": llama.SMOLLM3_3B,
    "Falcon 7B": falcon.FALCON_7B,
    "OLMo 2 7B": olmo.OLMO2_7B,
    "OLMo 2 13B": olmo.OLMO2_13B,
    "Olmo 3 7B": olmo.OLMO3_7B,
    "Olmo 3 32B": olmo.OLMO3_32B,
    "Gemma 2 2B": gemma.GEMMA2_2B,
    "Gemma 2 9B": gemma.GEMMA2_9B,
    "Gemma 2 27B": gemma.GEMMA2_27B,
    "Gemma 3 270M": gemma.GEMMA3_270M,
    "Gemma 3 1B": gemma.GEMMA3_1B,
    "Gemma 3 4B": gemma.GEMMA3_4B,
    "Gemma 3 12B": gemma.GEMMA3_12B,
    "Gemma 3 27B": gemma.GEMMA3_27B,
    "Qwen3 0.6B": qwen.QWEN3_600M,
    "Qwen3 1.7B": qwen.QWEN3_1_7B,
    "Qwen3 4B": qwen.QWEN3_4B,
    "Qwen3 8B": qwen.QWEN3_8B,
    "Qwen3 14B": qwen.QWEN3_14B,
    "Qwen3 32B": qwen.QWEN3_32B,
}
