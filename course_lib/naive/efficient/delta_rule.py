"""The delta rule, token by token and entry by entry."""

import numpy as np
from jaxtyping import Float64

__all__ = ["delta_rule", "gated_delta_rule", "gated_delta_rule_in_chunks"]

Rows = Float64[np.ndarray, "T D"]
Values = Float64[np.ndarray, "T Dv"]
Factors = Float64[np.ndarray, " T"]
State = Float64[np.ndarray, "D Dv"]


def delta_rule(
    query: Rows, key: Rows, value: Values, beta: Factors, state: State | None = None
) -> tuple[Values, State]:
    """Ask with the key, write the part of the error, ask with the query."""
    z = np.zeros((key.shape[1], value.shape[1])) if state is None else state.copy()
    output = np.zeros(value.shape)
    for t in range(len(key)):
        errors = [value[t, j] - _answer(z, key[t], j) for j in range(value.shape[1])]
        for j in range(value.shape[1]):
            for d in range(key.shape[1]):
                z[d, j] += beta[t] * key[t, d] * errors[j]
            output[t, j] = _answer(z, query[t], j)
    return output, z


def gated_delta_rule(
    query: Rows,
    key: Rows,
    value: Values,
    alpha: Factors,
    beta: Factors,
    state: State | None = None,
) -> tuple[Values, State]:
    """Shrink the state, then one step of the delta rule."""
    z = np.zeros((key.shape[1], value.shape[1])) if state is None else state
    output = np.zeros(value.shape)
    for t in range(len(key)):
        now = slice(t, t + 1)
        output[now], z = delta_rule(query[now], key[now], value[now], beta[now], alpha[t] * z)
    return output, z.copy()


def gated_delta_rule_in_chunks(
    query: Rows,
    key: Rows,
    value: Values,
    alpha: Factors,
    beta: Factors,
    state: State | None = None,
) -> tuple[Values, State]:
    """The chunks change the cost alone, so this one has none."""
    return gated_delta_rule(query, key, value, alpha, beta, state)


def _answer(z: State, asked: Float64[np.ndarray, " D"], j: int) -> float:
    answer = 0.0
    for d in range(len(asked)):
        answer += z[d, j] * asked[d]
    return answer
