"""A way back that is written by hand has no way back of its own."""

import torch

__all__ = ["require_first_derivative"]


def require_first_derivative(name: str, instead: str) -> None:
    """Refuse to compute a gradient of which a gradient is to be taken.

    PyTorch would hand out the first one as a constant, and what is added to a loss because of it
    would train nothing, without a word.

    Args:
        name: the function whose gradient is asked for.
        instead: the function whose gradient has a gradient.

    Returns:
        Nothing, if the gradient is wanted as a number.

    Raises:
        ValueError: if it is wanted for one more gradient.
    """
    if torch.is_grad_enabled():
        raise ValueError(
            f"the gradient of {name} is computed by hand and has no gradient itself, so it cannot "
            f"be taken with create_graph=True; {instead} gives the same numbers and can"
        )
