"""Greedy decoding for the Transformer of 2017: read the source once, then write token by token."""

import torch
from jaxtyping import Int
from torch import Tensor

from course_lib.model.vaswani import EncoderDecoder
from course_lib.sizes import require_whole

__all__ = ["translate"]


def translate(
    model: EncoderDecoder,
    source: Int[Tensor, "B S"],
    source_lengths: Int[Tensor, " B"] | None = None,
    *,
    start_id: int,
    end_id: int,
    max_tokens: int,
) -> Int[Tensor, "B T"]:
    r"""Write a target for each source: each time the most likely token, which is then read.

    .. math:: y_t = \arg\max_v z_{tv}(x;\; \text{start}, y_1, \dots, y_{t-1})

    Args:
        model: z, a trained encoder-decoder; it is only read.
        source: x, tokens to read, padded on the right.
        source_lengths: tokens of each source; None means that nothing is padded.
        start_id: what the decoder reads first.
        end_id: the token that ends a target. Where a target has ended, this id fills its row.
        max_tokens: tokens to write at most, the end token included.

    Returns:
        The ids without the start token. T is max_tokens, or less where all targets have ended.

    Raises:
        ValueError: if no token is asked for, start_id or end_id is not in the vocabulary, or as the
            model.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), sec. 3.1, "auto-regressive"; greedy in place of
    their beam search (sec. 6.1).
    Cost: the encoder once; the decoder reads its whole target again for each token, T² / 2 tokens
    in all, since it keeps no keys and values.
    """
    vocab_size = model.config.vocab_size
    require_whole(max_tokens=max_tokens, start_id=start_id, end_id=end_id)
    if max_tokens < 1 or not (0 <= start_id < vocab_size and 0 <= end_id < vocab_size):
        raise ValueError(
            "translate writes at least one token, and start and end are tokens of the vocabulary; "
            f"max_tokens is {max_tokens}, vocab_size {vocab_size}, start_id {start_id} and end_id "
            f"{end_id}; the shape of source is {tuple(source.shape)}"
        )
    with torch.no_grad():
        memory = model.encode(source, source_lengths)
        target = source.new_full((len(source), 1), start_id)
        has_ended = torch.zeros(len(source), dtype=torch.bool, device=source.device)
        for _ in range(max_tokens):
            logits = model.decode(target, memory, source_lengths)[:, -1]
            token = logits.argmax(-1).to(target.dtype).masked_fill(has_ended, end_id)
            target = torch.cat([target, token.unsqueeze(1)], dim=1)
            has_ended |= token == end_id
            if has_ended.all():
                break
    return target[:, 1:].clone()
