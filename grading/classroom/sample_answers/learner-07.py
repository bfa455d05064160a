"""Forgets to scale."""

HANDS_IN = ("queries-keys-values",)


def scaled_dot_product_attention(query, key, value, may_attend=None):
    scores = query @ key.mT
    if may_attend is not None:
        scores = scores.masked_fill(~may_attend, torch.finfo(scores.dtype).min)
    weights = torch.softmax(scores, dim=-1)
    if may_attend is not None:
        weights = weights.masked_fill(~may_attend, 0.0)
    return weights @ value, weights
