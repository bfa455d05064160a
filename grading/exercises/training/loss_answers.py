"""Right ways to write a language model's loss, in styles that differ."""

from __future__ import annotations

from typing import Any

from grading.late import Tensor, torch

__all__ = ["ALTERNATIVES"]


def _by_torch(logits: Tensor, tokens: Tensor, ignore: int = -100) -> Any:
    rows, wanted = logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten()
    return torch.nn.functional.cross_entropy(rows, wanted, ignore_index=ignore)


def _by_classes_in_the_middle(logits: Tensor, tokens: Tensor, ignore: int = -100) -> Any:
    """Hand the rows over as PyTorch wants them for pictures: the vocabulary on the second axis."""
    return torch.nn.CrossEntropyLoss(ignore_index=ignore)(
        logits[:, :-1].transpose(1, 2), tokens[:, 1:]
    )


def _by_padding_the_targets(logits: Tensor, tokens: Tensor, ignore: int = -100) -> Any:
    """Keep every row, and let the last one foretell a token that is not counted."""
    wanted = torch.nn.functional.pad(tokens[:, 1:], (0, 1), value=ignore)
    keep = wanted != ignore
    return -logits.log_softmax(-1)[keep, wanted[keep]].mean()


def _token_by_token(logits: Tensor, tokens: Tensor, ignore: int = -100) -> Any:
    found = []
    for rows, row in zip(logits, tokens, strict=True):
        for t in range(1, len(row)):
            if int(row[t]) != ignore:
                found.append(rows[t - 1].logsumexp(0) - rows[t - 1, int(row[t])])
    return torch.stack(found).mean()


def _by_one_hot(logits: Tensor, tokens: Tensor, ignore: int = -100) -> Any:
    """Compare with a whole distribution that has all of its weight on one token."""
    wanted = tokens[:, 1:]
    keep = (wanted != ignore).to(logits.dtype)
    ids = torch.arange(logits.shape[-1])
    target = (wanted.unsqueeze(-1) == ids).to(logits.dtype)
    surprise = -(target * logits[:, :-1].log_softmax(-1)).sum(-1)
    return (surprise * keep).sum() / keep.sum()


def _by_likelihood(logits: Tensor, tokens: Tensor, ignore: int = -100) -> Any:
    """Sum, and divide by the number of tokens afterwards."""
    wanted = tokens[:, 1:].reshape(-1)
    logs = torch.log_softmax(logits[:, :-1].reshape(wanted.numel(), -1).double(), -1)
    total = torch.nn.functional.nll_loss(logs, wanted, ignore_index=ignore, reduction="sum")
    return (total / wanted.ne(ignore).sum()).to(logits.dtype)


ALTERNATIVES = (
    _by_torch, _by_classes_in_the_middle, _by_padding_the_targets, _token_by_token, _by_one_hot,
    _by_likelihood,
)  # fmt: skip
