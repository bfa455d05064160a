"""What all measures share: how near is near enough, and that they really draw."""

from typing import Any

from grading.exercise import Answer, Misconception

__all__ = ["STANDARD_ERRORS", "far", "undrawn"]

# A right measure misses by more than five standard errors once in two million runs.
STANDARD_ERRORS = 5


def far(value: Any, truth: float, error: float) -> bool:
    """Return whether a measured number is further from the truth than its noise explains."""
    return not abs(float(value) - truth) <= STANDARD_ERRORS * error


def undrawn(
    prefix: str,
    without: tuple[Answer, ...],
    elsewhere: tuple[Answer, ...],
    closer: tuple[Answer, ...],
) -> Any:
    """Return the three mistakes of drawing that every measure's grader names.

    Args:
        prefix: of the codes, "VAR".
        without: wrong functions whose number does not depend on the generator.
        elsewhere: wrong functions that draw, all or in part, without the generator.
        closer: wrong functions whose results for different seeds lie too close together.
    """
    return (
        Misconception(
            code=f"{prefix}-NODRAW",
            wrong=without[0],
            also=without[1:],
            shows="generator",
            sentence=(
                "The number does not depend on the generator's seed: it comes from a formula, a "
                "table or a seed of your own. The task is to "
                "measure: draw from the generator and compute from what it gave."
            ),
        ),
        Misconception(
            code=f"{prefix}-GLOBAL",
            wrong=elsewhere[0],
            also=elsewhere[1:],
            shows="generator",
            sentence=(
                "The same seed gives two numbers: not every draw comes from the generator as it "
                "was given, but from PyTorch's global one or another source. Hand the generator "
                "to every draw, so that whoever knows the seed gets the same number."
            ),
        ),
        Misconception(
            code=f"{prefix}-CLOSE",
            wrong=closer[0],
            also=closer[1:],
            shows="generator",
            sentence=(
                "Different seeds give numbers that lie closer together than the draws of the "
                "contract leave them. More is drawn than the arguments say, or something that "
                "varies less, such as a score in the place of a query and a key."
            ),
        ),
    )
