"""The exercises of the chapter on queries, keys and values."""

from grading.exercises.queries_keys_values.by_loops import ATTENTION_BY_LOOPS
from grading.exercises.queries_keys_values.measures import SPREAD_OF_AVERAGE
from grading.exercises.queries_keys_values.patterns import MAKE_QK_FOR
from grading.exercises.queries_keys_values.projections import PROJECT_QKV
from grading.exercises.queries_keys_values.questions import FIND_THE_BUG, PREDICT
from grading.exercises.queries_keys_values.scores import ATTENTION_SCORES
from grading.exercises.queries_keys_values.testing import INPUTS_THAT_CATCH
from grading.exercises.queries_keys_values.unmasked import ATTENTION
from grading.exercises.queries_keys_values.warm_ups import LOOKUP_WEIGHTS, RECURRENT_STEP

__all__ = ["EXERCISES"]

EXERCISES = (
    LOOKUP_WEIGHTS,
    RECURRENT_STEP,
    PREDICT,
    PROJECT_QKV,
    ATTENTION_SCORES,
    ATTENTION,
    ATTENTION_BY_LOOPS,
    MAKE_QK_FOR,
    SPREAD_OF_AVERAGE,
    FIND_THE_BUG,
    INPUTS_THAT_CATCH,
)
