"""The exercises of the chapter on positions."""

from grading.exercises.positions.biased_scores import ALIBI_SCORES
from grading.exercises.positions.biases import ALIBI_BIAS
from grading.exercises.positions.equivariance import IS_EQUIVARIANT
from grading.exercises.positions.measures import SIMILARITY
from grading.exercises.positions.questions import FIND_THE_BUG, PREDICT_NEWEST, PREDICT_TURN
from grading.exercises.positions.reading import ROPE_ATTENTION
from grading.exercises.positions.rotation import ROPE
from grading.exercises.positions.stretched_scores import YARN_SCORES
from grading.exercises.positions.testing import TEST_ROPE
from grading.exercises.positions.waves import SINUSOIDAL
from grading.exercises.positions.yarn import YARN

__all__ = ["EXERCISES"]

EXERCISES = (
    IS_EQUIVARIANT,
    SINUSOIDAL,
    PREDICT_TURN,
    ROPE,
    TEST_ROPE,
    ROPE_ATTENTION,
    SIMILARITY,
    PREDICT_NEWEST,
    ALIBI_BIAS,
    ALIBI_SCORES,
    YARN,
    YARN_SCORES,
    FIND_THE_BUG,
)
