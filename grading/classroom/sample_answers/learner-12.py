"""Logarithm of zero."""

HANDS_IN = ("scaling",)


def weight_entropy(scores):
    weights = torch.softmax(scores, dim=-1)
    return -(weights * weights.log()).sum(dim=-1)


def score_variance(D, n, generator, scale):
    query = torch.randn(n, D, generator=generator)
    key = torch.randn(n, D, generator=generator)
    return float((query * key).sum(dim=-1).var()) * scale
