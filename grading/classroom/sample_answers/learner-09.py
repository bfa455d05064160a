"""Sets masked scores to 0; takes queries from the context."""

HANDS_IN = ("queries-keys-values", "masks")


def project_qkv(x, w_q, w_k, w_v, context=None):
    source = x if context is None else context
    return source @ w_q, source @ w_k, source @ w_v


def scaled_dot_product_attention(query, key, value, may_attend=None):
    scores = query @ key.mT / query.shape[-1] ** 0.5
    if may_attend is not None:
        scores = scores * may_attend
    weights = torch.softmax(scores, dim=-1)
    return weights @ value, weights
