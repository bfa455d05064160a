"""Everything right, in another order and precision."""


def project_qkv(x, w_q, w_k, w_v, context=None):
    if context is None:
        context = x
    value = (context.double() @ w_v.double()).to(x.dtype)
    key = (w_k.mT @ context.mT).mT
    query = (w_q.mT @ x.mT).mT
    return query, key, value


def attention_scores(query, key):
    return (key @ query.transpose(-2, -1)).transpose(-2, -1)


def scaled_dot_product_attention(query, key, value, may_attend=None):
    dtype = query.dtype
    query, key, value = query.double(), key.double(), value.double()
    scores = (key / query.shape[-1] ** 0.5) @ query.mT
    scores = scores.mT.clone()
    if may_attend is not None:
        scores = scores.masked_fill(~may_attend, torch.finfo(scores.dtype).min)
    weights = (scores - scores.logsumexp(dim=-1, keepdim=True)).exp()
    if may_attend is not None:
        weights = weights * may_attend
    return (weights @ value).to(dtype), weights.to(dtype)


def weight_entropy(scores):
    logarithms = torch.log_softmax(scores.double(), dim=-1)
    return -(logarithms.exp() * logarithms).sum(dim=-1).to(scores.dtype)


def softmax_scale(head_dim, query_pre_attn_scalar=None, yarn_factor=None):
    size = query_pre_attn_scalar or head_dim
    stretch = 1.0 if yarn_factor is None else 1.0 + math.log(yarn_factor) / 10
    return stretch**2 / math.sqrt(size)


def softmax(x, axis=-1):
    wide = x.double()
    largest = wide.max(dim=axis, keepdim=True).values
    powers = 2.0 ** ((wide - largest) * math.log2(math.e))
    return (powers / powers.sum(dim=axis, keepdim=True)).to(x.dtype)


def log_softmax(x, axis=-1):
    shifted = x - x.max(dim=axis, keepdim=True).values
    return shifted - torch.log(torch.exp(shifted).sum(dim=axis, keepdim=True))


def softmax_with_sink(scores, sink):
    sink = torch.as_tensor(sink, dtype=scores.dtype)
    column = sink.reshape(-1, 1, 1).expand(*scores.shape[:-1], 1)
    return torch.softmax(torch.cat([column, scores], dim=-1), dim=-1)[..., 1:]
