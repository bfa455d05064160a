"""The exercises of the chapter on training."""

from grading.exercises.training.finetune_step import FINETUNE_STEP
from grading.exercises.training.fitting import FIT_POWER_LAW
from grading.exercises.training.generating import GENERATE
from grading.exercises.training.loss import LM_LOSS
from grading.exercises.training.measures import FIRST_LOSS
from grading.exercises.training.questions import FIND_THE_BUG, PREDICT
from grading.exercises.training.surprise import SURPRISE
from grading.exercises.training.testing import TEST_LM_LOSS
from grading.exercises.training.train_step import TRAIN_STEP

__all__ = ["EXERCISES"]

EXERCISES = (
    SURPRISE,
    LM_LOSS,
    TEST_LM_LOSS,
    PREDICT,
    FIRST_LOSS,
    FIND_THE_BUG,
    TRAIN_STEP,
    FINETUNE_STEP,
    GENERATE,
    FIT_POWER_LAW,
)
