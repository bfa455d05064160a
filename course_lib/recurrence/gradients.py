"""Gradients through time are products of Jacobians, one factor a step: they vanish or explode."""

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.kinds import require_floats, require_same_dtype
from course_lib.shapes import require_axes

__all__ = ["product_norms", "state_jacobian_norms", "step_jacobians"]


def step_jacobians(
    w_h: Float[Tensor, "N N"], hs: Float[Tensor, "*batch T N"]
) -> Float[Tensor, "*batch T N N"]:
    r"""Return how each state of a tanh RNN depends on the state just before it.

    .. math:: J_t = \frac{\partial h_t}{\partial h_{t-1}}
        = \mathrm{diag}(1 - h_t \odot h_t)\, W_h^\top

    Args:
        w_h: weights of the state in ``rnn_step``.
        hs: the states, as ``rnn_forward`` returns them. 1 - h² is the derivative of tanh, so the
            inputs are not needed.

    Returns:
        One matrix per step; row i says how unit i of the new state changes with each unit of the
        old one. NaN or an infinity in a state leaves nothing finite in its unit's row of that step.

    Raises:
        ValueError: if the states have not as many units as w_h has rows and columns.

    Source: Pascanu et al. 2013 (arXiv:1211.5063), eq. 5, where the function is applied to the old
    state before the matrix, x_t = W σ(x_{t-1}) + …; ours is applied after it.
    """
    require_axes("w_h", w_h, "N N")
    require_axes("hs", hs, "*batch T N")
    require_same_dtype(w_h=w_h, hs=hs)
    if not w_h.shape[0] == w_h.shape[1] == hs.shape[-1]:
        raise ValueError(
            "w_h has a row and a column for each unit of a state; "
            f"w_h has {w_h.shape[0]} rows and {w_h.shape[1]} columns and a state N = "
            f"{hs.shape[-1]} units; shapes {tuple(w_h.shape)} and {tuple(hs.shape)}"
        )
    return (1 - hs * hs).unsqueeze(-1) * w_h.mT


def product_norms(jacobians: Float[Tensor, "*batch T N N"]) -> Float[Tensor, "*batch T"]:
    r"""Return the largest stretch of the steps that follow each step, to the last one.

    .. math:: s_t = \lVert J_T J_{T-1} \cdots J_{t+1} \rVert_2, \qquad s_T = \lVert I \rVert_2 = 1

    Args:
        jacobians: J_t, row t for the step from state t - 1 to state t, of any network.

    Returns:
        One spectral norm (largest singular value) per step. The first Jacobian takes no part. It is
        infinite or NaN where a product overflows, NaN where one holds NaN.

    Raises:
        ValueError: if there is no step, or a Jacobian is not square.

    Source: Pascanu et al. 2013 (arXiv:1211.5063), eq. 5. If no norm ‖J_t‖ exceeds g, s_t is at
    most g^(T - t): the *singular* values must be small. An arXiv version asks it of the largest
    eigenvalue (sec. 2.1), which is not enough; the proceedings of ICML say singular value.
    Cost: 2 T N³ FLOPs for the products and O(T N³) for the norms.

    >>> product_norms(torch.tensor([0.5, 0.5, 3.0]).reshape(3, 1, 1))
    tensor([1.5000, 3.0000, 1.0000])
    """
    require_axes("jacobians", jacobians, "*batch T N N")
    require_floats(jacobians=jacobians)
    num_steps, rows, num_units = jacobians.shape[-3:]
    if rows != num_units:
        raise ValueError(
            "a Jacobian has a row and a column for each of the N units of a state; "
            f"there are {rows} rows and {num_units} columns; shape {tuple(jacobians.shape)}"
        )
    if num_steps == 0:
        raise ValueError(
            f"the last state is the state of a step; there are T = {num_steps} steps; "
            f"shape {tuple(jacobians.shape)}"
        )
    # The singular value decomposition knows no half precision.
    dtype = torch.promote_types(jacobians.dtype, torch.float32)
    identity = torch.eye(num_units, dtype=dtype, device=jacobians.device)
    products = [identity.expand_as(jacobians[..., 0, :, :])]
    for t in range(num_steps - 1, 0, -1):
        products.append(products[-1] @ jacobians[..., t, :, :].to(dtype))
    product = torch.stack(products[::-1], dim=-3)
    largest = product.abs().amax((-2, -1))
    # The decomposition stops at a number that is not finite; such a norm is its largest entry.
    finite = product.masked_fill(~largest.isfinite()[..., None, None], 0.0)
    norms = torch.where(largest.isfinite(), torch.linalg.matrix_norm(finite, ord=2), largest)
    return norms.to(jacobians.dtype)


def state_jacobian_norms(
    w_h: Float[Tensor, "N N"], hs: Float[Tensor, "*batch T N"]
) -> Float[Tensor, "*batch T"]:
    r"""Return how strongly the last state of a tanh RNN depends on each state before it.

    .. math:: s_t = \Big\lVert \frac{\partial h_T}{\partial h_t} \Big\rVert_2
        = \Big\lVert \prod_{k=T}^{t+1} \mathrm{diag}(1 - h_k \odot h_k)\, W_h^\top \Big\rVert_2

    Args:
        w_h: weights of the state in ``rnn_step``.
        hs: the states, as ``rnn_forward`` returns them. With h0 put in front the result says the
            same of h0.

    Returns:
        One norm per state; the last is 1. With σ the largest singular value of w_h, none exceeds
        σ^(T - t). One is NaN if a later state holds NaN.

    Raises:
        ValueError: if the states have not as many units as w_h has rows and columns, or there is
            no state.

    Source: Pascanu et al. 2013 (arXiv:1211.5063), eq. 5 and sec. 2.1.
    """
    return product_norms(step_jacobians(w_h, hs))
