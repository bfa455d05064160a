"""Causal attention whose only sense of position is ALiBi's bias on the scores."""

from jaxtyping import Float
from torch import Tensor

from course_lib.config.attention import AlibiAttentionConfig
from course_lib.model.attention_modules.causal import CausalAttention
from course_lib.model.reading import Reading

__all__ = ["AlibiAttention"]


class AlibiAttention(CausalAttention):
    r"""Take from each score the head's slope times the distance.

    .. math:: O_h = \mathrm{softmax}\big(Q_h K_g^\top \cdot \text{scale} - m_h\, d\big)\, V_g,
        \qquad d_{ts} = (S - T + t) - s

    Source: Press et al. 2022 (arXiv:2108.12409), sec. 3; MPT and BLOOM.
    """

    def __init__(self, config: AlibiAttentionConfig, d_model: int) -> None:
        super().__init__(config.without_slopes, d_model)

    def scores(
        self, query: Float[Tensor, "B H T D"], key: Float[Tensor, "B G S D"], reading: Reading
    ) -> Float[Tensor, "B H T S"]:
        """Compare queries and keys, and prefer the near ones."""
        scores = super().scores(query, key, reading)
        return scores + reading.distance_bias(query.shape[1], key.shape[2], scores.dtype)
