"""The exercises of the chapter on scaling."""

from grading.exercises.scaling.entropy import WEIGHT_ENTROPY
from grading.exercises.scaling.measures import SCORE_VARIANCE
from grading.exercises.scaling.questions import FIND_THE_BUG, PREDICT
from grading.exercises.scaling.retired import DIAGNOSE_SCALE
from grading.exercises.scaling.saturation import SATURATION
from grading.exercises.scaling.scales import SOFTMAX_SCALE
from grading.exercises.scaling.warm_ups import CROSS_SHAPES, WEIGHTED_SUM

__all__ = ["EXERCISES", "RETIRED"]

EXERCISES = (
    WEIGHTED_SUM,
    CROSS_SHAPES,
    PREDICT,
    SCORE_VARIANCE,
    WEIGHT_ENTROPY,
    SATURATION,
    SOFTMAX_SCALE,
    FIND_THE_BUG,
)

#: What only older copies of the notebook ask.
RETIRED = (DIAGNOSE_SCALE,)
