"""Causal attention whose only sense of position is ALiBi's bias on the scores."""

from jaxtyping import Float
from torch import Tensor

from course_lib.config.attention import AttentionConfig
from course_lib.model.causal_attention import CausalAttention
from course_lib.positions.alibi import alibi_bias

__all__ = ["AlibiAttention"]


class AlibiAttention(CausalAttention):
    r"""Take from each score the head's slope times the distance.

    .. math:: O_h = \mathrm{softmax}\big(Q_h K_g^\top \cdot \text{scale} - m_h\, d\big)\, V_g,
        \qquad d_{ts} = (S - T + t) - s

    A block takes it in place of its attention, and the model has positions without a table and
    without rotations: ``block.attention = AlibiAttention(block.attention.config, d_model)``.

    Raises:
        ValueError: if the configuration has RoPE too.

    Source: Press et al. 2022 (arXiv:2108.12409), sec. 3; MPT and BLOOM.
    """

    def __init__(self, config: AttentionConfig, d_model: int) -> None:
        if config.rope is not None:
            raise ValueError(
                "ALiBi takes the place of rotations, so rope is None; "
                f"rope is {config.rope}, with num_heads = {config.num_heads}"
            )
        super().__init__(config, d_model)

    def scores(
        self, query: Float[Tensor, "B H T D"], key: Float[Tensor, "B G S D"]
    ) -> Float[Tensor, "B H T S"]:
        """Compare queries and keys, and prefer the near ones."""
        scores = super().scores(query, key)
        _, num_heads, num_queries, num_keys = scores.shape
        bias = alibi_bias(
            num_heads, num_queries, num_keys, dtype=scores.dtype, device=scores.device
        )
        return scores + bias
