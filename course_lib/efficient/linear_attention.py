"""Linear attention: elu + 1 as features, whole, causal, or one token after another."""

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.attention.fitting import require_same_batch
from course_lib.efficient.kernel_attention import (
    causal_kernel_attention,
    elu_features,
    kernel_attention,
)
from course_lib.kinds import require_same_dtype
from course_lib.precision import at_least_float32
from course_lib.shapes import require_axes

__all__ = ["linear_attention", "linear_attention_step"]


def linear_attention(
    query: Float[Tensor, "*batch T D"],
    key: Float[Tensor, "*batch S D"],
    value: Float[Tensor, "*batch S Dv"],
    causal: bool,
) -> Float[Tensor, "*batch T Dv"]:
    r"""Attend by the kernel φ(q) · φ(k), φ = elu + 1, in a time that grows with T + S.

    .. math:: O_t = \frac{\sum_s \phi(q_t) \cdot \phi(k_s)\, v_s}{\sum_s \phi(q_t) \cdot \phi(k_s)}

    It is another function than the softmax, not an approximation of it. No 1/√D, no ε.

    Args:
        query: one row per position that asks.
        key: one row per position that can be read.
        value: one per key.
        causal: True lets position t read its own key and those before it, and needs T = S; False
            lets all read all.

    Returns:
        One mean of values per query, in the dtype of the value; half precision is widened first: in
        float16 φ(-17) would be 0.

    Raises:
        ValueError: if sizes, leading axes or dtypes do not fit, there is no key, or T and S differ
            where causal is True.

    Source: Katharopoulos et al. 2020 (arXiv:2006.16236), eq. 5, 7 and 9.
    Cost: 2 (T + S) D (Dv + 1) FLOPs; causal, in chunks of about D, 2 T D (D + Dv) more.
    """
    require_same_batch(query, key, "key")
    require_same_batch(query, value, "value")
    wide_query, wide_key, wide_value = map(at_least_float32, (query, key, value))
    parts = elu_features(wide_query), elu_features(wide_key), wide_value
    if not causal:
        return kernel_attention(*parts).to(value.dtype)
    # Chunks of D make the products inside a chunk cost what the running sum costs.
    chunk = min(max(query.shape[-1], 16), 64)
    return causal_kernel_attention(*parts, chunk).to(value.dtype)


def linear_attention_step(
    query: Float[Tensor, "*batch D"],
    key: Float[Tensor, "*batch D"],
    value: Float[Tensor, "*batch Dv"],
    state: Float[Tensor, "*batch D Dv"],
    normaliser: Float[Tensor, "*batch D"],
) -> tuple[Float[Tensor, "*batch Dv"], Float[Tensor, "*batch D Dv"], Float[Tensor, "*batch D"]]:
    r"""Write one token into the state, then read: causal linear attention as a recurrent network.

    .. math:: Z' = Z + \phi(k) v^\top, \quad n' = n + \phi(k), \quad
        o = \frac{Z'^\top \phi(q)}{n' \cdot \phi(q)}

    Args:
        query: of the new token.
        key: of the new token.
        value: of the new token.
        state: Z, the sum so far; zeros at the beginning, float32 or more for long texts.
        normaliser: n, the sum of the keys' features so far; zeros at the beginning.

    Returns:
        The output, in the dtype of the value; the new state and normaliser, in theirs. Their size
        is that of the first token, however long the text is. NaN in a key stays in the state.

    Raises:
        ValueError: if the state has not D rows and Dv columns, or the others differ in their
            leading axes, D or kind.

    Source: Katharopoulos et al. 2020 (arXiv:2006.16236), eq. 16 to 20.
    Cost: 4 D Dv FLOPs a token and head; D (Dv + 1) numbers are kept.
    """
    _require_step(query, key, value, state, normaliser)
    wide = torch.promote_types(at_least_float32(key).dtype, state.dtype)
    features = elu_features(key.to(wide))
    asked = elu_features(query.to(wide)).unsqueeze(-2)
    new_state = state.to(wide) + features.unsqueeze(-1) * value.to(wide).unsqueeze(-2)
    new_normaliser = normaliser.to(wide) + features
    output = asked @ new_state / (asked @ new_normaliser.unsqueeze(-1))
    return (
        output.squeeze(-2).to(value.dtype),
        new_state.to(state.dtype),
        new_normaliser.to(normaliser.dtype),
    )


def _require_step(
    query: Tensor, key: Tensor, value: Tensor, state: Tensor, normaliser: Tensor
) -> None:
    require_same_dtype(query=query, key=key, value=value)
    require_same_dtype(state=state, normaliser=normaliser)
    require_axes("query", query, "*batch D")
    require_axes("value", value, "*batch Dv")
    batch, size = query.shape[:-1], query.shape[-1]
    expected = {
        "key": (key, (*batch, size)),
        "value": (value, (*batch, value.shape[-1])),
        "state": (state, (*batch, size, value.shape[-1])),
        "normaliser": (normaliser, (*batch, size)),
    }
    for name, (tensor, shape) in expected.items():
        if tensor.shape != shape:
            raise ValueError(
                f"one token has one query, key and value, and the state D rows and Dv columns; "
                f"for a query of shape {tuple(query.shape)} and a value of {tuple(value.shape)} "
                f"{name} has {shape}; its shape is {tuple(tensor.shape)}"
            )
