"""Which choices of experts can be, and what is said when they cannot."""

from jaxtyping import Int
from torch import Tensor

from course_lib.kinds import require_integers
from course_lib.sizes import require_positive

__all__ = ["require_choices", "require_experts_per_token"]


def require_experts_per_token(A: int, E: int) -> None:
    """Refuse more choices than there are experts.

    Args:
        A: experts that a token uses.
        E: experts that there are.

    Returns:
        Nothing, if 1 <= A <= E.

    Raises:
        ValueError: if not.
    """
    require_positive(A=A, E=E)
    if A > E:
        raise ValueError(f"a token uses A different experts of E, so A <= E; A is {A} and E is {E}")


def require_choices(experts: Int[Tensor, "*shape"], E: int) -> None:
    """Refuse what names an expert that does not exist.

    Args:
        experts: ids of experts, from 0.
        E: experts that there are.

    Returns:
        Nothing, if each is below E.

    Raises:
        ValueError: if one is not, or experts holds no integers.
    """
    require_integers(experts=experts)
    require_positive(E=E)
    wrong = (experts < 0) | (experts >= E)
    if wrong.any():
        raise ValueError(
            f"experts are numbered from 0 to E - 1, and E is {E}; experts has "
            f"{experts[wrong][0].item()}; shape {tuple(experts.shape)}"
        )
