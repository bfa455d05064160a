"""The norms' configurations have the defaults of those whose models they describe."""

import torch

from course_lib.config.norms import LayerNormConfig
from course_lib.zoo.gpt import GPT2_S


def test_layer_norm_adds_what_pytorch_and_gpt2_add() -> None:
    assert LayerNormConfig().eps == torch.nn.LayerNorm(7).eps == 1e-5
    assert GPT2_S.final_norm == LayerNormConfig(eps=1e-5)
