"""Forgets to scale."""

HANDS_IN = ("queries-keys-values",)


def attention(query, key, value):
    weights = torch.softmax(query @ key.mT, dim=-1)
    return weights @ value, weights
