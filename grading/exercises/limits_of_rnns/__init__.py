"""The exercises of the chapter on what recurrent networks cannot do."""

from grading.exercises.limits_of_rnns.capacity import COPY_CAPACITY
from grading.exercises.limits_of_rnns.forward import RNN_FORWARD
from grading.exercises.limits_of_rnns.jacobians import STATE_JACOBIAN_NORMS
from grading.exercises.limits_of_rnns.lstm import LSTM_STEP
from grading.exercises.limits_of_rnns.measures import GRADIENT_GROWTH
from grading.exercises.limits_of_rnns.paths import PATH_LENGTH, SEQUENTIAL_OPS
from grading.exercises.limits_of_rnns.questions import FIND_THE_BUG, PREDICT
from grading.exercises.limits_of_rnns.testing import TEST_RNN_FORWARD

__all__ = ["EXERCISES"]

EXERCISES = (
    RNN_FORWARD,
    FIND_THE_BUG,
    TEST_RNN_FORWARD,
    COPY_CAPACITY,
    PREDICT,
    STATE_JACOBIAN_NORMS,
    GRADIENT_GROWTH,
    LSTM_STEP,
    PATH_LENGTH,
    SEQUENTIAL_OPS,
)
