"""From a dictionary to attention: the nearest key, a mixture of all keys, a kernel's mean."""

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.kinds import require_same_dtype
from course_lib.precision import at_least_float32
from course_lib.shapes import require_axes
from course_lib.sizes import require_above_zero
from course_lib.softmax import softmax

__all__ = ["hard_lookup", "kernel_regression", "soft_lookup"]


def hard_lookup(
    query: Float[Tensor, "T D"], keys: Float[Tensor, "S D"], values: Float[Tensor, "S Dv"]
) -> Float[Tensor, "T Dv"]:
    r"""Hand over the value of the nearest key: a dictionary that forgives a misspelt word.

    .. math:: o_t = v_{n(t)}, \qquad n(t) = \operatorname*{argmin}_s \lVert q_t - k_s \rVert^2

    Args:
        query: what is looked for, one row each.
        keys: what can be found, one row each.
        values: what each key hands over.

    Returns:
        One value per query, in the dtype of the values. Of keys that are equally near the first is
        taken. The queries and the keys get no gradient: a small step changes nothing, or jumps.
        NaN in a key, or in a query, makes NaN.

    Raises:
        ValueError: if the vectors do not have the same size, if there is not one value per key, or
            if there is no key.

    Source: Fix and Hodges 1951; Cover and Hart 1967, sec. I: the rule of the nearest neighbour.

    >>> keys = torch.tensor([[0.0], [1.0]])
    >>> hard_lookup(torch.tensor([[0.2], [0.9]]), keys, torch.tensor([[10.0], [20.0]]))
    tensor([[10.],
            [20.]])
    """
    distances = _distances(query, keys, values)
    nearest = distances.min(-1)  # the first of equals; NaN is taken for the smallest
    found = values[nearest.indices]
    return torch.where(nearest.values.isnan().unsqueeze(-1), torch.nan, found)


def soft_lookup(
    query: Float[Tensor, "T D"],
    keys: Float[Tensor, "S D"],
    values: Float[Tensor, "S Dv"],
    temperature: float,
) -> Float[Tensor, "T Dv"]:
    r"""Hand over a mixture of all values; the nearer a key, the larger its share.

    .. math:: o_t = \sum_s p_{ts} v_s, \qquad
        p_{ts} = \mathrm{softmax}_s\big(-\lVert q_t - k_s \rVert^2 / \tau\big)

    Towards a temperature of zero it is ``hard_lookup`` where one key is the nearest, and the mean
    of the nearest values where several are; towards infinity it is the mean of all values.

    Args:
        query: what is looked for, one row each.
        keys: what can be found, one row each.
        values: what each key hands over.
        temperature: tau, above zero.

    Returns:
        One mixture per query, in the dtype of the values; half precision is computed in float32.
        Each lies inside the hull of the values. NaN in a key, or in a query, makes NaN.

    Raises:
        ValueError: if the temperature is not positive and finite, if the vectors do not have the
            same size, if there is not one value per key, or if there is no key.

    Source: Graves et al. 2014 (arXiv:1410.5401), eq. 5, with a distance in place of the cosine and
    1/tau in place of beta; Nadaraya 1964 and Watson 1964.
    Cost: T S D differences are held, D times the scores.

    >>> keys = torch.tensor([[0.0], [1.0]])
    >>> soft_lookup(torch.tensor([[0.5]]), keys, torch.tensor([[10.0], [20.0]]), 1.0)
    tensor([[15.]])
    """
    require_above_zero("temperature", temperature, "a temperature")
    distances = _distances(query, keys, values)
    # Without the smallest, no quotient is infinite in a whole row: a hard lookup is the limit.
    further = distances - distances.detach().amin(-1, keepdim=True)
    weights = softmax(-further / temperature)
    return (weights @ at_least_float32(values)).to(values.dtype)


def kernel_regression(
    xq: Float[Tensor, " T"], xk: Float[Tensor, " S"], y: Float[Tensor, " S"], width: float
) -> Float[Tensor, " T"]:
    r"""Estimate a curve at new places: a mean of the measured heights, weighted by nearness.

    .. math:: \hat y_t = \frac{\sum_s K(x_t - x_s)\, y_s}{\sum_s K(x_t - x_s)}, \qquad
        K(d) = e^{-d^2 / 2 \lambda^2}

    The quotient is a softmax of -d²/2λ², so no sum of exponentials can be 0 far away.

    Args:
        xq: the places where the curve is asked for.
        xk: the places where it was measured.
        y: the heights that were measured there.
        width: lambda, above zero: how far a measured height reaches.

    Returns:
        One height per place that is asked for, in the dtype of y; half precision is computed in
        float32. Finite at every finite place, and never outside the measured heights. NaN in xk,
        or in xq, makes NaN.

    Raises:
        ValueError: if the width is not positive and finite, if there is not one height per measured
            place, or if there is none.

    Source: Nadaraya 1964; Watson 1964; Hastie et al. 2009, The Elements of Statistical Learning,
    sec. 6.1, eq. 6.2.

    >>> kernel_regression(torch.tensor([0.0, 1e6]), torch.tensor([-1.0, 1.0]),
    ...                   torch.tensor([2.0, 4.0]), 1.0)
    tensor([3., 4.])
    """
    require_above_zero("width", width, "a width")
    require_axes("xq", xq, "T")
    require_axes("xk", xk, "S")
    require_axes("y", y, "S")
    require_same_dtype(xq=xq, xk=xk, y=y)
    _require_pairs("xk", xk, "y", y)
    asked, measured = at_least_float32(xq).unsqueeze(-1), at_least_float32(xk)
    inside = asked.detach().clamp(measured.min(), measured.max())  # far away all look equally near
    nearest = measured[(inside - measured).abs().argmin(-1)].unsqueeze(-1)
    # (a² - b²) / 2 = (a - b) (a + b) / 2, b the nearest place's distance: a² may be infinite.
    further = (nearest - measured) * (asked - (nearest + measured) / 2)  # T S
    weights = softmax(-further / width / width)
    return (weights @ at_least_float32(y)).to(y.dtype)


def _distances(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Square the lengths of all differences, T S, of at least float32."""
    require_axes("query", query, "T D")
    require_axes("keys", keys, "S D")
    require_axes("values", values, "S Dv")
    require_same_dtype(query=query, keys=keys, values=values)
    if query.shape[1] != keys.shape[1]:
        raise ValueError(
            "a query is compared with a key, so both have D entries; "
            f"query has D={query.shape[1]} and keys D={keys.shape[1]}; "
            f"shapes {tuple(query.shape)} and {tuple(keys.shape)}"
        )
    _require_pairs("keys", keys, "values", values)
    asked, offered = at_least_float32(query).unsqueeze(1), at_least_float32(keys)
    return (asked - offered).square().sum(-1)


def _require_pairs(name: str, keys: Tensor, other_name: str, values: Tensor) -> None:
    if len(keys) != len(values):
        raise ValueError(
            f"a dictionary holds pairs, so {name} and {other_name} agree in S; "
            f"{name} has S={len(keys)} and {other_name} S={len(values)}; "
            f"shapes {tuple(keys.shape)} and {tuple(values.shape)}"
        )
    if len(keys) == 0:
        raise ValueError(
            f"something is found only where there is a key; {name} has S={len(keys)}; "
            f"shape {tuple(keys.shape)}"
        )
