"""The exercises of the chapter on masks."""

from grading.exercises.masks.causal import CAUSAL_MASK
from grading.exercises.masks.documents import DOCUMENT_MASK
from grading.exercises.masks.leaks import LEAK_MATRIX
from grading.exercises.masks.masked import MASKED_SOFTMAX
from grading.exercises.masks.measures import PADDING_SHARE
from grading.exercises.masks.padding import COMBINE, PADDING_MASK
from grading.exercises.masks.questions import FIND_THE_BUG, PREDICT, PREDICT_REACH
from grading.exercises.masks.testing import TEST_MASKED
from grading.exercises.masks.warm_ups import MEAN_OF_PAST, WITHOUT_KEY

__all__ = ["EXERCISES"]

EXERCISES = (
    WITHOUT_KEY,
    MEAN_OF_PAST,
    PREDICT,
    CAUSAL_MASK,
    PADDING_MASK,
    COMBINE,
    MASKED_SOFTMAX,
    DOCUMENT_MASK,
    PREDICT_REACH,
    LEAK_MATRIX,
    PADDING_SHARE,
    FIND_THE_BUG,
    TEST_MASKED,
)
