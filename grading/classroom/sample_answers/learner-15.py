"""Keeps the sink's column; forgets to add the maximum back."""

HANDS_IN = ("softmax",)


def logsumexp(x, axis=-1):
    largest = x.amax(dim=axis, keepdim=True)
    return (x - largest).exp().sum(dim=axis).log()


def softmax_with_sink(scores, sink):
    sink = torch.as_tensor(sink, dtype=scores.dtype)
    column = sink.reshape(-1, 1, 1).expand(*scores.shape[:-1], 1)
    return torch.softmax(torch.cat([scores, column], dim=-1), dim=-1)
