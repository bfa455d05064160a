"""Entropy in bits; YaRN's factor once."""

HANDS_IN = ("scaling",)


def weight_entropy(scores):
    weights = torch.softmax(scores, dim=-1)
    return -torch.xlogy(weights, weights).sum(dim=-1) / math.log(2)


def softmax_scale(head_dim, query_pre_attn_scalar=None, yarn_factor=None):
    scale = (query_pre_attn_scalar or head_dim) ** -0.5
    if yarn_factor is not None:
        scale *= 0.1 * math.log(yarn_factor) + 1
    return scale


def predict_largest_weight():
    return 0.11
