"""The exercises of the chapter on the softmax."""

from grading.exercises.softmax.log_weights import LOG_SOFTMAX
from grading.exercises.softmax.logarithms import LOGSUMEXP
from grading.exercises.softmax.measures import SINK_SHARE
from grading.exercises.softmax.questions import FIND_THE_BUG, PREDICT
from grading.exercises.softmax.sink import SOFTMAX_WITH_SINK
from grading.exercises.softmax.stable import SOFTMAX
from grading.exercises.softmax.testing import TEST_SOFTMAX
from grading.exercises.softmax.vjp import SOFTMAX_VJP
from grading.exercises.softmax.warm_ups import ATTEND_ONE, SCALED_SCORES

__all__ = ["EXERCISES"]

EXERCISES = (
    SCALED_SCORES,
    ATTEND_ONE,
    PREDICT,
    SOFTMAX,
    LOGSUMEXP,
    LOG_SOFTMAX,
    SOFTMAX_VJP,
    SOFTMAX_WITH_SINK,
    SINK_SHARE,
    FIND_THE_BUG,
    TEST_SOFTMAX,
)
