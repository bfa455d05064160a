"""The exercises of the chapter on queries, keys and values."""

from grading.exercises.queries_keys_values.by_loops import ATTENTION_BY_LOOPS
from grading.exercises.queries_keys_values.measures import SPREAD_OF_AVERAGE
from grading.exercises.queries_keys_values.patterns import MAKE_QK_FOR
from grading.exercises.queries_keys_values.projections import PROJECT_QKV
from grading.exercises.queries_keys_values.questions import FIND_THE_BUG, PREDICT
from grading.exercises.queries_keys_values.scaled_dot_product import SDPA
from grading.exercises.queries_keys_values.scores import ATTENTION_SCORES
from grading.exercises.queries_keys_values.testing import INPUTS_FOR_ATTENTION
from grading.exercises.queries_keys_values.unmasked import ATTENTION

__all__ = ["EXERCISES"]

EXERCISES = (
    PREDICT,
    PROJECT_QKV,
    ATTENTION_SCORES,
    ATTENTION,
    SDPA,
    ATTENTION_BY_LOOPS,
    MAKE_QK_FOR,
    SPREAD_OF_AVERAGE,
    FIND_THE_BUG,
    INPUTS_FOR_ATTENTION,
)
