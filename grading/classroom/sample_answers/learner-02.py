"""Everything right, with einsum and loops."""


def project_qkv(x, w_q, w_k, w_v, context=None):
    source = x if context is None else context
    query = torch.einsum("...tc,cd->...td", x, w_q)
    key = torch.einsum("...sc,cd->...sd", source, w_k)
    value = torch.einsum("...sc,cv->...sv", source, w_v)
    return query, key, value


def attention_scores(query, key):
    return torch.einsum("...td,...sd->...ts", query, key)


def scaled_dot_product_attention(query, key, value, may_attend=None):
    scores = torch.einsum("...td,...sd->...ts", query, key) * query.shape[-1] ** -0.5
    if may_attend is not None:
        scores = torch.where(may_attend, scores, torch.full_like(scores, float("-inf")))
    weights = torch.softmax(scores, dim=-1)
    if may_attend is not None:
        has_a_key = may_attend.any(dim=-1, keepdim=True)
        weights = torch.where(has_a_key, weights, torch.zeros_like(weights))
    return torch.einsum("...ts,...sv->...tv", weights, value), weights


def score_variance(D, n, generator, scale):
    scores = []
    for _ in range(n):
        query = torch.randn(D, generator=generator)
        key = torch.randn(D, generator=generator)
        scores.append(scale * float(query @ key))
    mean = sum(scores) / n
    return sum((score - mean) ** 2 for score in scores) / (n - 1)


def weight_entropy(scores):
    weights = torch.softmax(scores, dim=-1)
    logarithms = torch.where(weights > 0, weights, torch.ones_like(weights)).log()
    return -torch.einsum("...s,...s->...", weights, logarithms)


def softmax(x, axis=-1):
    rows = x.movedim(axis, -1)
    powers = torch.exp(rows - rows.amax(dim=-1, keepdim=True))
    return (powers / powers.sum(dim=-1, keepdim=True)).movedim(-1, axis)


def softmax_vjp(p, g, axis=-1):
    p_rows, g_rows = p.movedim(axis, -1), g.movedim(axis, -1)
    mean = torch.einsum("...s,...s->...", p_rows, g_rows)
    return (p_rows * (g_rows - mean[..., None])).movedim(-1, axis)
