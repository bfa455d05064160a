"""The delta rule: a state that corrects what it would have answered, instead of adding to it."""

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.attention.fitting import require_same_batch, require_same_size
from course_lib.kinds import require_same_dtype
from course_lib.precision import at_least_float32

__all__ = ["delta_rule", "gated_delta_rule", "gated_delta_rule_in_chunks"]

#: Positions of a chunk: one system of so many equations is solved for each.
_CHUNK = 64


def delta_rule(
    query: Float[Tensor, "*batch T D"],
    key: Float[Tensor, "*batch T D"],
    value: Float[Tensor, "*batch T Dv"],
    beta: Float[Tensor, "*batch T"],
    state: Float[Tensor, "*batch D Dv"] | None = None,
) -> tuple[Float[Tensor, "*batch T Dv"], Float[Tensor, "*batch D Dv"]]:
    r"""Write each token by the error of the state's own answer, then read.

    .. math:: Z_t = Z_{t-1} + \beta_t\, k_t \big( v_t - Z_{t-1}^\top k_t \big)^\top, \qquad
        o_t = Z_t^\top q_t

    With β = 1 and a key of length 1 the state answers this key with this value exactly, whatever
    it held before; with orthogonal keys nothing else changes.

    Args:
        query: one per token, not scaled.
        key: one per token, as given: models divide it by its length first.
        value: one per token.
        beta: β, how much of the error is written, from 0 to 1; beyond 2 / ‖k‖² it grows.
        state: Z of the tokens before; None is zeros.

    Returns:
        One row per token, in the dtype of the value, and the state after the last one, in at least
        float32 where none came, else in its dtype. NaN reaches this token and all later ones.

    Raises:
        ValueError: if sizes, leading axes or dtypes do not fit.

    Source: Schlag et al. 2021 (arXiv:2102.11174), eq. 24 to 27; in this form, Yang et al. 2024
    (arXiv:2406.06484), sec. 2.2.
    Cost: 6 T D Dv FLOPs, in T steps; D Dv numbers are kept.

    >>> key, value = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[5.0], [7.0]])
    >>> delta_rule(key, key, value, torch.ones(2))[0].T  # the second value replaces the first
    tensor([[5., 7.]])
    """
    return gated_delta_rule(query, key, value, torch.ones_like(beta), beta, state)


def gated_delta_rule(
    query: Float[Tensor, "*batch T D"],
    key: Float[Tensor, "*batch T D"],
    value: Float[Tensor, "*batch T Dv"],
    alpha: Float[Tensor, "*batch T"],
    beta: Float[Tensor, "*batch T"],
    state: Float[Tensor, "*batch D Dv"] | None = None,
) -> tuple[Float[Tensor, "*batch T Dv"], Float[Tensor, "*batch D Dv"]]:
    r"""Forget a part of the state, then write by the error of what is left.

    .. math:: Z' = \alpha_t Z_{t-1}, \qquad
        Z_t = Z' + \beta_t\, k_t \big( v_t - Z'^\top k_t \big)^\top, \qquad o_t = Z_t^\top q_t

    Args:
        query: one per token, not scaled.
        key: one per token, as given.
        value: one per token.
        alpha: α, what is kept of the state, from 0 to 1: the factor itself, not its logarithm.
        beta: β, how much of the error is written.
        state: Z of the tokens before; None is zeros.

    Returns:
        As ``delta_rule``, which is α = 1.

    Raises:
        ValueError: if sizes, leading axes or dtypes do not fit.

    Source: Yang et al. 2024 (arXiv:2412.06464), eq. 10, with the state transposed: rows are keys.
    Cost: 7 T D Dv FLOPs, in T steps; D Dv numbers are kept.
    """
    z = _first_state(query, key, value, alpha, beta, state)
    q, k, v, a, b = (part.to(z.dtype) for part in (query, key, value, alpha, beta))
    outputs = []
    for t in range(k.shape[-2]):
        z = a[..., t, None, None] * z
        row = k[..., t, None, :]  # 1 D
        error = v[..., t, None, :] - row @ z
        z = z + b[..., t, None, None] * row.mT * error
        outputs.append(q[..., t, None, :] @ z)
    output = torch.cat(outputs, dim=-2) if outputs else v
    return output.to(value.dtype), z if state is None else z.to(state.dtype)


def gated_delta_rule_in_chunks(
    query: Float[Tensor, "*batch T D"],
    key: Float[Tensor, "*batch T D"],
    value: Float[Tensor, "*batch T Dv"],
    alpha: Float[Tensor, "*batch T"],
    beta: Float[Tensor, "*batch T"],
    state: Float[Tensor, "*batch D Dv"] | None = None,
) -> tuple[Float[Tensor, "*batch T Dv"], Float[Tensor, "*batch D Dv"]]:
    r"""The same rule with a chunk of tokens at once, by products of matrices.

    What the tokens of a chunk write, the rows of U, depend on each other through one triangular
    system. Gamma is the product of the α from the chunk's first token on:

    .. math:: \Big( I + \big[ \beta_i \tfrac{\gamma_i}{\gamma_j}\, k_i \cdot k_j \big]_{j < i}
        \Big) U = \mathrm{diag}(\beta) \big( V - \mathrm{diag}(\gamma) K Z \big)

    .. math:: o_i = \gamma_i Z^\top q_i + \sum_{j \le i} \tfrac{\gamma_i}{\gamma_j}
        (q_i \cdot k_j)\, u_j

    Args:
        query: one per token, not scaled.
        key: one per token, as given.
        value: one per token.
        alpha: α, what is kept of the state; 0 is allowed, for no quotient and no logarithm is made.
        beta: β, how much of the error is written.
        state: Z of the tokens before; None is zeros.

    Returns:
        As ``gated_delta_rule``; the last chunk may be shorter.

    Raises:
        ValueError: if sizes, leading axes or dtypes do not fit.

    Source: Yang et al. 2024 (arXiv:2412.06464), sec. 3.3, after the WY form of Yang et al. 2024
    (arXiv:2406.06484), sec. 3; here the system is solved where they write its inverse.
    Cost: with c tokens a chunk 6 T D Dv + 2 T c (2 D + 2 Dv) FLOPs, in T / c steps.
    """
    z = _first_state(query, key, value, alpha, beta, state)
    rows = [torch.split(part.to(z.dtype), _CHUNK, dim=-2) for part in (query, key, value)]
    factors = [torch.split(part.to(z.dtype), _CHUNK, dim=-1) for part in (alpha, beta)]
    outputs = []
    for q, k, v, a, b in zip(*rows, *factors, strict=True):
        output, z = _chunk(q, k, v, a, b, z)
        outputs.append(output)
    output = torch.cat(outputs, dim=-2)
    return output.to(value.dtype), z if state is None else z.to(state.dtype)


def _chunk(
    q: Tensor, k: Tensor, v: Tensor, alpha: Tensor, beta: Tensor, z: Tensor
) -> tuple[Tensor, Tensor]:
    """One chunk: what it writes, what it reads, what it leaves."""
    size = k.shape[-2]
    if size == 0:
        return v, z
    lower = torch.ones(size, size, dtype=torch.bool, device=k.device).tril()
    # Row i, column j: the product of alpha from j + 1 to i; 1 on the diagonal.
    below = alpha.unsqueeze(-1).masked_fill(~lower.tril(-1), 1.0)
    decay = below.cumprod(-2).masked_fill(~lower, 0.0)
    kept = alpha.cumprod(-1).unsqueeze(-1)  # of the state that came in
    b = beta.unsqueeze(-1)
    system = b * decay * (k @ k.mT)  # its diagonal counts as 1
    wanted = b * (v - kept * (k @ z))
    written = torch.linalg.solve_triangular(system, wanted, upper=False, unitriangular=True)
    output = kept * (q @ z) + (decay * (q @ k.mT)) @ written
    left = kept[..., -1:, :] * z + (decay[..., -1:, :].mT * k).mT @ written
    return output, left


def _first_state(
    query: Tensor, key: Tensor, value: Tensor, alpha: Tensor, beta: Tensor, state: Tensor | None
) -> Tensor:
    """The state that was given, or zeros, as wide as all that meets; refuses what does not fit."""
    require_same_batch(query, key, "key")
    require_same_batch(query, value, "value")
    require_same_size(query, key)
    require_same_dtype(key=key, alpha=alpha, beta=beta)
    expected = {"value": value.shape[:-1], "query": query.shape[:-1]}
    expected |= {"alpha": alpha.shape, "beta": beta.shape}
    for name, shape in expected.items():
        if shape != key.shape[:-1]:
            raise ValueError(
                f"each token has one query, key, value, alpha and beta; key has "
                f"{tuple(key.shape[:-1])} of them and {name} {tuple(shape)}; "
                f"shapes {tuple(key.shape)} and {tuple(shape)}"
            )
    size = (*key.shape[:-2], key.shape[-1], value.shape[-1])
    if state is None:
        return at_least_float32(key).new_zeros(size)
    require_same_dtype(state=state)
    if state.shape != size:
        raise ValueError(
            f"the state has D={size[-2]} rows and Dv={size[-1]} columns for each head; state has "
            f"the shape {tuple(state.shape)} and is to have {size}"
        )
    return state.to(torch.promote_types(at_least_float32(key).dtype, state.dtype))
