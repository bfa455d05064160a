"""The best row of labels as a whole, where not every label may follow every other (Viterbi)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.kinds import require_floats, require_same_device
from course_lib.shapes import require_axes

__all__ = ["PathRules", "best_path"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PathRules:
    """What a path gains by each of its steps; minus infinity is a step that it may not take.

    Attributes:
        first: for beginning with a label, one number each.
        steps: for going from a label, the row, to the next one, the column.
        last: for ending with a label.

    Raises:
        ValueError: if the numbers are not one for each label, or one for each pair of them.
    """

    first: Float[Tensor, " _"]
    steps: Float[Tensor, "_ _"]
    last: Float[Tensor, " _"]

    def __post_init__(self) -> None:
        require_floats(first=self.first, steps=self.steps, last=self.last)
        num_labels = self.first.numel()
        shapes = {"first": self.first.shape, "steps": self.steps.shape, "last": self.last.shape}
        if list(shapes.values()) != [(num_labels,), (num_labels, num_labels), (num_labels,)]:
            told = ", ".join(f"{name} {tuple(shape)}" for name, shape in shapes.items())
            raise ValueError(
                "a path begins and ends with one of the labels, and steps from one to one, so "
                f"there is a number for each label and each pair; shapes {told}"
            )


def best_path(scores: Float[Tensor, "T _"], rules: PathRules) -> Int[Tensor, " T"]:
    r"""Choose one label per token so that the sum over the whole row is the largest.

    .. math:: y = \arg\max_y \; a_{y_1} + \sum_{t=1}^{T} z_{t, y_t} + \sum_{t=2}^{T}
        M_{y_{t-1}, y_t} + e_{y_T}

    Of all paths that reach a label at t, only the best can be part of the best whole: one number
    per label is kept, and where it came from. With steps that are all free this is the largest
    score of each token, by itself.

    Args:
        scores: z, how well each label fits each token. Logits and log-probabilities give the same
            path, for they differ by one number per token.
        rules: a, M and e: ``first``, ``steps`` and ``last``.

    Returns:
        The labels as indices. Of paths that are equally good, any.

    Raises:
        ValueError: if scores and rules are of different numbers of labels, a score or a rule is NaN
            or plus infinity, or no path is allowed.

    Source: Viterbi 1967; as a trellis Forney 1973. It is computed in float64.
    Cost: T times the square of the number of labels.

    >>> never = -torch.inf
    >>> none, steps = torch.zeros(2), torch.tensor([[0.0, never], [0.0, 0.0]])
    >>> rules = PathRules(first=none, steps=steps, last=none)
    >>> best_path(torch.tensor([[1.0, 0.0], [0.0, 3.0]]), rules)  # 1 may not follow 0
    tensor([1, 1])
    """
    _require_path(scores, rules)
    if len(scores) == 0:
        return torch.zeros(0, dtype=torch.int64, device=scores.device)
    steps = rules.steps.double()
    reached = rules.first.double() + scores[0].double()
    came_from: list[Tensor] = []
    for row in scores[1:].double():
        best = (reached[:, None] + steps).max(0)
        reached = best.values + row
        came_from.append(best.indices)
    ended = reached + rules.last.double()
    label = ended.argmax()
    if ended[label] == -torch.inf:
        raise ValueError(
            f"some path is allowed; of T={len(scores)} tokens and {scores.shape[1]} labels none is"
        )
    path = [label]
    for earlier in reversed(came_from):
        path.append(earlier[path[-1]])
    return torch.stack(path[::-1])


def _require_path(scores: Tensor, rules: PathRules) -> None:
    require_axes("scores", scores, "T labels")
    require_floats(scores=scores)
    require_same_device(scores=scores, steps=rules.steps)
    if scores.shape[1] != rules.first.numel():
        raise ValueError(
            "each label has its rules; scores are of "
            f"{scores.shape[1]} labels and the rules of {rules.first.numel()}; "
            f"shapes {tuple(scores.shape)} and {tuple(rules.steps.shape)}"
        )
    parts = {"scores": scores, "first": rules.first, "steps": rules.steps, "last": rules.last}
    for name, part in parts.items():
        wrong = part.isnan() | (part == torch.inf)
        if wrong.any():
            raise ValueError(
                "paths are compared by their sums, so a number is finite, or minus infinity where "
                f"it forbids; {name} has {part[wrong][0].item()}, and {int(wrong.sum())} such; "
                f"shape {tuple(part.shape)}"
            )
