"""Who depends on whom, found by changing one position after another."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.kinds import require_floats
from course_lib.shapes import require_axes

__all__ = ["leak_matrix"]

#: What is added to a row. A forbidden key that is only made unlikely shows where its score is high,
#: and the sign that makes it high is not known. A step of 1 stays near x.
STEPS = (1.0, 1e6, -1e6)


def leak_matrix(
    f: Callable[[Float[Tensor, "T C"]], Float[Tensor, "T _"]], x: Float[Tensor, "T C"]
) -> Bool[Tensor, "T T"]:
    r"""Find which rows of a function's result depend on which rows of its input.

    .. math:: M_{ts} = \Big[\, \frac{\partial f(x)_t}{\partial x_s} \ne 0 \;\lor\;
        \exists\, \delta : f(x + e_s \delta^\top)_t \ne f(x)_t \,\Big]

    The derivative sees what rounding hides, a weight of 1e-20. A change δ of 1, 1,000,000 and
    −1,000,000 in each entry of the row sees what the derivative hides: a key whose weight is 0
    here, and is not where its score is high.

    Args:
        f: from one row per position to one row per position; the same result on every call. One
            that torch cannot differentiate is judged by the changes alone.
        x: where f is asked.

    Returns:
        True where row t of f(x) depends on row s of x, by however little; NaN that comes or goes
        is a change. A causal function has no True to the right of the diagonal. False says that
        this x showed nothing, not that none could.

    Raises:
        ValueError: if x has not two axes or is empty, if f does not return one row per row of x, or
            if f gives another result when it is asked again (dropout is on).

    Source: ours; a causal model has to pass it with every x (Vaswani et al. 2017,
    arXiv:1706.03762, sec. 3.2.3: "leftward information flow" is prevented).
    Cost: 3 T + 3 calls of f, and one backward pass per number of its result.

    >>> leak_matrix(lambda x: x.cumsum(0), torch.ones(3, 2)).int()
    tensor([[1, 0, 0],
            [1, 1, 0],
            [1, 1, 1]], dtype=torch.int32)
    """
    require_axes("x", x, "T C")
    require_floats(x=x)
    if 0 in x.shape:
        raise ValueError(
            "a row is changed to see who depends on it, so x has at least one row and one column; "
            f"there are {x.shape[0]} rows and {x.shape[1]} columns; shape {tuple(x.shape)}"
        )
    found = _derivatives(f, x)
    with torch.no_grad():
        plain = _asked(f, x)
        if _moved(plain, _asked(f, x)).any():
            raise ValueError(
                "f is asked again with one row changed, so it has to give the same result for the "
                f"same x; rows {_moved(plain, _asked(f, x)).nonzero().flatten().tolist()} differed "
                "between two calls; is dropout on?"
            )
        for s in range(len(x)):
            for step in STEPS:
                changed = x.clone()
                changed[s] += step
                found[:, s] |= _moved(plain, _asked(f, changed))
    return found


def _asked(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Call f with a tensor of its own, and require one row per row."""
    result = f(x.clone())
    if not isinstance(result, Tensor) or result.ndim < 1 or len(result) != len(x):
        came = tuple(result.shape) if isinstance(result, Tensor) else type(result).__name__
        raise ValueError(
            f"f returns one row for each row of x; x has {len(x)} rows and f returned {came}"
        )
    # A shared buffer would change under our hands with the next call.
    return result.clone().reshape(len(x), -1)


def _derivatives(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return which rows have a derivative, by which row, that is not 0."""
    with torch.enable_grad():
        jacobian: Tensor = torch.autograd.functional.jacobian(  # type: ignore[no-untyped-call]
            lambda x: _asked(f, x), x.detach()
        )
    return (jacobian != 0).any(-1).any(1)


def _moved(before: Tensor, after: Tensor) -> Tensor:
    """Return which rows differ; NaN equals NaN."""
    same = (before == after) | (before.isnan() & after.isnan())
    return ~same.all(-1)
