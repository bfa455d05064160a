"""Ways to continue a text: the right one, what can be done otherwise in it, and other styles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grading.late import Tensor, torch

__all__ = ["ALTERNATIVES", "choosing", "generated"]

Way = Callable[..., Any]


def _tempered(logits: Tensor, temperature: float) -> Any:
    return logits / temperature


def _k_largest(z: Tensor, top_k: Any) -> Any:
    if top_k is None:
        return z
    order = z.argsort(dim=-1, descending=True, stable=True)
    return z.scatter(-1, order[:, top_k:], -torch.inf)


def _drawn(weights: Tensor, generator: Any) -> Any:
    return torch.multinomial(weights, 1, generator=generator)


def _greedy(logits: Tensor, temperature: float, generator: Any) -> Any:
    return logits.argmax(-1, keepdim=True) if temperature == 0 else None


def choosing(
    *, zero: Way = _greedy, temper: Way = _tempered, keep: Way = _k_largest, draw: Way = _drawn
) -> Way:
    """Return a choice of one token a row, in which some steps may be done in another way."""

    def choose(logits: Tensor, temperature: float, top_k: Any, generator: Any) -> Any:
        found = zero(logits, temperature, generator)
        if found is not None:
            return found
        return draw(keep(temper(logits, temperature), top_k).softmax(-1), generator)

    return choose


def _last_ones(ids: Tensor, T: int, length: int) -> Any:
    return ids[:, -length:]


def generated(
    *, read: Way = _last_ones, row: Way = lambda logits: logits[:, -1], choose: Way | None = None,
    keep: bool = True, result: Way = lambda ids, T: ids,
) -> Way:  # fmt: skip
    """Return a function that writes, in which some steps may be done in another way."""
    chosen = choosing() if choose is None else choose

    def generate(
        model: Any, ids: Tensor, n: int, temperature: float, top_k: Any, generator: Any
    ) -> Any:
        T = ids.shape[1]
        with torch.no_grad():
            for _ in range(n):
                seen = read(ids, T, model.context_length)
                token = chosen(row(model(seen)), temperature, top_k, generator)
                ids = torch.cat([ids if keep else seen, token], 1)
        return result(ids, T)

    return generate


# -- other styles ----------------------------------------------------------------------------------


def _by_points(
    model: Any, ids: Tensor, n: int, temperature: float, top_k: Any, generator: Any
) -> Any:
    """Lay the weights end to end, and see on which a point falls; written into one tensor."""
    B, T = ids.shape
    text = torch.empty(B, T + n, dtype=torch.int64)
    text[:, :T] = ids
    for t in range(T, T + n):
        first = max(0, t - model.context_length)
        logits = model(text[:, first:t])[:, -1].detach()
        logits, order = logits.sort(dim=-1, descending=True, stable=True)
        logits, order = logits[:, :top_k], order[:, :top_k]
        if temperature == 0 or top_k == 1:
            text[:, t] = order[:, 0]
            continue
        ends = (logits / temperature).softmax(-1).cumsum(-1)
        points = torch.rand(B, 1, generator=generator, dtype=ends.dtype) * ends[:, -1:]
        place = (points >= ends).sum(-1, keepdim=True).clamp(max=ends.shape[-1] - 1)
        text[:, t] = order.gather(-1, place)[:, 0]
    return text


def _by_gumbel(
    model: Any, ids: Tensor, n: int, temperature: float, top_k: Any, generator: Any
) -> Any:
    """Add noise of Gumbel's kind to the logits, and take the largest; calls itself."""
    if n == 0:
        return ids.clone()
    with torch.no_grad():
        z = model(ids[:, -model.context_length :])[:, -1]
    if top_k is not None:
        before = (z.unsqueeze(-2) > z.unsqueeze(-1)).sum(-1)
        equal = (z.unsqueeze(-2) == z.unsqueeze(-1)).tril(-1).sum(-1)
        z = z.masked_fill(before + equal >= top_k, float("-inf"))
    if temperature > 0:
        uniform = torch.rand(z.shape, generator=generator, dtype=torch.float64)
        z = z / temperature - (-uniform.log()).log()
    longer = torch.cat((ids, z.argmax(-1)[:, None]), dim=-1)
    return _by_gumbel(model, longer, n - 1, temperature, top_k, generator)


ALTERNATIVES = (_by_points, _by_gumbel)
