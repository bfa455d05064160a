"""The exercises of the chapter on the Transformer block."""

from grading.exercises.transformer_block.block import BLOCK
from grading.exercises.transformer_block.gated import SILU, SWIGLU
from grading.exercises.transformer_block.measures import EMBEDDING_LEFT
from grading.exercises.transformer_block.norms import LAYER_NORM, RMS_NORM
from grading.exercises.transformer_block.questions import FIND_THE_BUG, PREDICT
from grading.exercises.transformer_block.testing import TEST_RMS_NORM
from grading.exercises.transformer_block.translator import ENCODER_DECODER
from grading.exercises.transformer_block.widths import GATED_D_FF

__all__ = ["EXERCISES"]

EXERCISES = (
    SILU,
    RMS_NORM,
    TEST_RMS_NORM,
    LAYER_NORM,
    SWIGLU,
    GATED_D_FF,
    PREDICT,
    EMBEDDING_LEFT,
    BLOCK,
    FIND_THE_BUG,
    ENCODER_DECODER,
)
