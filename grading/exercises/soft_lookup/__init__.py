"""The exercises of the chapter on soft lookup."""

from grading.exercises.soft_lookup.additive import ADDITIVE_SCORES
from grading.exercises.soft_lookup.alignment import ALIGN_STEP
from grading.exercises.soft_lookup.hard import HARD_LOOKUP
from grading.exercises.soft_lookup.kernel import KERNEL_REGRESSION
from grading.exercises.soft_lookup.measures import CURVE_ERROR
from grading.exercises.soft_lookup.questions import FIND_THE_BUG, PREDICT_FAR, PREDICT_HOT
from grading.exercises.soft_lookup.soft import SOFT_LOOKUP
from grading.exercises.soft_lookup.testing import TEST_SOFT_LOOKUP

__all__ = ["EXERCISES"]

EXERCISES = (
    HARD_LOOKUP,
    PREDICT_HOT,
    SOFT_LOOKUP,
    KERNEL_REGRESSION,
    PREDICT_FAR,
    CURVE_ERROR,
    ADDITIVE_SCORES,
    ALIGN_STEP,
    FIND_THE_BUG,
    TEST_SOFT_LOOKUP,
)
