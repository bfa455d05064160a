"""Encoder-decoder that reads every encoder state again before each step."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from course_lib.attention.additive import additive_scores
from course_lib.masks import padding_mask
from course_lib.recurrence.seq2seq import GRU, Encoded, RecurrentEncoderDecoder
from course_lib.shapes import require_axes
from course_lib.softmax import masked_softmax

__all__ = ["AttentionEncoderDecoder", "align_step"]


def align_step(
    state: Float[Tensor, "B N"],
    encoded: Float[Tensor, "B S _"],
    lengths: Int[Tensor, " B"],
    w_q: Float[Tensor, "N D"],
    w_k: Float[Tensor, "_ D"],
    v: Float[Tensor, " D"],
) -> tuple[Float[Tensor, "B _"], Float[Tensor, "B S"]]:
    r"""Let the decoder read the source once: a weighted mean of the encoder's states.

    .. math:: p_s = \mathrm{softmax}_s\big(v \cdot \tanh(h W_Q + e_s W_K)\big), \qquad
        \text{context} = \sum_s p_s e_s

    Args:
        state: h, the decoder's state *before* the step that will use the context.
        encoded: e, the encoder's states, one row per source position.
        lengths: the tokens of each source; what stands behind them is padding and is not read.
        w_q: projection of the decoder's state.
        w_k: projection of an encoder's state.
        v: the last layer of the small network that makes the score.

    Returns:
        The context and the weights. A source of no tokens gives zeros. Padding has no influence,
        even if its states are NaN.

    Raises:
        ValueError: if a length is negative or above S, or what ``additive_scores`` refuses.

    Source: Bahdanau et al. 2014 (arXiv:1409.0473), sec. 3.1 and appendix A.1.2.
    """
    require_axes("state", state, "B N")
    require_axes("encoded", encoded, "B S _")
    is_token = padding_mask(lengths, encoded.shape[1])  # B 1 S: one query
    encoded = encoded.masked_fill(~is_token.mT, 0.0)  # 0 · NaN would be NaN
    scores = additive_scores(state.unsqueeze(1), encoded, w_q, w_k, v)
    weights = masked_softmax(scores, is_token)
    return (weights @ encoded).squeeze(1), weights.squeeze(1)


class AttentionEncoderDecoder(RecurrentEncoderDecoder):
    r"""Before each step the decoder reads the encoder's states, every time with other weights.

    .. math:: a_t = \text{context}(h_{t-1}), \qquad h_t = \mathrm{gru}([x_t, a_t], h_{t-1}), \qquad
        \text{logits}_t = [h_t, a_t] W + b

    Args:
        vocab_size: V, of the source and of the target; they share one table of vectors.
        num_units: N, of both networks, of a token's vector and of the network that scores (D).
        pad_id: the id that fills the end of shorter sources.

    Source: Bahdanau et al. 2014 (arXiv:1409.0473), sec. 3.1 and appendix A. Their encoder reads in
    both directions and a maxout layer makes the logits; ours reads once and has one matrix.
    """

    def __init__(self, vocab_size: int, num_units: int, pad_id: int = 0) -> None:
        super().__init__(vocab_size, num_units, pad_id)
        self.decoder = GRU(2 * num_units, num_units)
        self.w_out = nn.Parameter(torch.zeros(2 * num_units, vocab_size))
        self.w_q = nn.Parameter(torch.zeros(num_units, num_units))
        self.w_k = nn.Parameter(torch.zeros(num_units, num_units))
        self.v = nn.Parameter(torch.zeros(num_units))

    def step(
        self, token: Float[Tensor, "B N"], state: Float[Tensor, "B N"], encoded: Encoded
    ) -> tuple[Float[Tensor, "B N"], Float[Tensor, "B V"]]:
        """Read the source, then one target token; return the new state and the next logits."""
        context, _ = self.align(state, encoded)
        state = self.decoder.step(torch.cat([token, context], dim=-1), state)
        return state, torch.cat([state, context], dim=-1) @ self.w_out + self.b_out

    def align(
        self, state: Float[Tensor, "B N"], encoded: Encoded
    ) -> tuple[Float[Tensor, "B N"], Float[Tensor, "B S"]]:
        """Return what a state reads of the source, and with which weights."""
        return align_step(state, encoded.states, encoded.lengths, self.w_q, self.w_k, self.v)
