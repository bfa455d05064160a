"""From a layer's choice of attention to the module that computes it."""

from course_lib.config.attention import (
    AlibiAttentionConfig,
    AttentionConfig,
    CausalAttentionConfig,
)
from course_lib.config.delta_rule import GatedDeltaRuleConfig
from course_lib.config.latent import LatentAttentionConfig
from course_lib.model.attention_modules.alibi import AlibiAttention
from course_lib.model.attention_modules.causal import CausalAttention
from course_lib.model.attention_modules.delta_rule import GatedDeltaRule
from course_lib.model.attention_modules.interface import AttentionModule
from course_lib.model.attention_modules.latent import LatentAttention

__all__ = ["attention_module"]


def attention_module(config: AttentionConfig, d_model: int) -> AttentionModule:
    """Make the attention that a configuration names.

    Args:
        config: which attention, its sizes and its parts.
        d_model: C, entries of the vectors that it reads and writes.

    Returns:
        The module; its matrices are zeros until they are initialised or loaded.
    """
    match config:
        case CausalAttentionConfig():
            return CausalAttention(config, d_model)
        case LatentAttentionConfig():
            return LatentAttention(config, d_model)
        case AlibiAttentionConfig():
            return AlibiAttention(config, d_model)
        case GatedDeltaRuleConfig():
            return GatedDeltaRule(config, d_model)
