"""Exponentials that overflow."""

HANDS_IN = ("softmax",)


def softmax(x, axis=-1):
    powers = torch.exp(x)
    return powers / powers.sum(dim=axis, keepdim=True)


def logsumexp(x, axis=-1):
    return torch.log(torch.exp(x).sum(dim=axis))


def log_softmax(x, axis=-1):
    powers = torch.exp(x - x.amax(dim=axis, keepdim=True))
    return torch.log(powers / powers.sum(dim=axis, keepdim=True))
