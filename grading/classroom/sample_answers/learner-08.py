"""Mixes up rows and columns."""

HANDS_IN = ("queries-keys-values",)


def attention_scores(query, key):
    return key @ query.mT


def scaled_dot_product_attention(query, key, value, may_attend=None):
    scores = query @ key.mT / query.shape[-1] ** 0.5
    if may_attend is not None:
        scores = scores.masked_fill(~may_attend, torch.finfo(scores.dtype).min)
    weights = torch.softmax(scores, dim=-2)
    if may_attend is not None:
        weights = weights.masked_fill(~may_attend, 0.0)
    return weights @ value, weights
