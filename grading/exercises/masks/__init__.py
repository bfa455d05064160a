"""The exercises of the chapter on masks."""

from grading.exercises.masks.causal import CAUSAL_MASK
from grading.exercises.masks.documents import DOCUMENT_MASK
from grading.exercises.masks.leaks import LEAK_MATRIX
from grading.exercises.masks.masked import MASKED_SOFTMAX
from grading.exercises.masks.measures import PADDING_SHARE
from grading.exercises.masks.padding import COMBINE, PADDING_MASK
from grading.exercises.masks.questions import FIND_THE_BUG, PREDICT, PREDICT_REACH
from grading.exercises.masks.retired import INPUTS_FOR_ATTENTION
from grading.exercises.masks.scaled_dot_product import SDPA
from grading.exercises.masks.testing import TEST_MASKED
from grading.exercises.masks.warm_ups import MEAN_OF_PAST, WITHOUT_KEY

__all__ = ["EXERCISES", "RETIRED"]

EXERCISES = (
    WITHOUT_KEY,
    MEAN_OF_PAST,
    PREDICT,
    CAUSAL_MASK,
    PADDING_MASK,
    COMBINE,
    MASKED_SOFTMAX,
    SDPA,
    DOCUMENT_MASK,
    PREDICT_REACH,
    LEAK_MATRIX,
    PADDING_SHARE,
    FIND_THE_BUG,
    TEST_MASKED,
)

#: What only older copies of the notebook `queries-keys-values` ask.
RETIRED = (INPUTS_FOR_ATTENTION,)
