"""The exercises of the chapter on multi-head attention."""

from grading.exercises.multi_head_attention.contributions import HEAD_CONTRIBUTION
from grading.exercises.multi_head_attention.counting import MHA_FLOPS, MHA_PARAM_COUNT
from grading.exercises.multi_head_attention.gpt3 import COUNT_GPT3
from grading.exercises.multi_head_attention.layers import CROSS_ATTENTION, MULTI_HEAD_ATTENTION
from grading.exercises.multi_head_attention.measures import HEADS_ADD_UP
from grading.exercises.multi_head_attention.questions import FIND_THE_BUG, PREDICT
from grading.exercises.multi_head_attention.splitting import MERGE_HEADS, SPLIT_HEADS
from grading.exercises.multi_head_attention.testing import TEST_SPLIT_HEADS

__all__ = ["EXERCISES"]

EXERCISES = (
    SPLIT_HEADS,
    TEST_SPLIT_HEADS,
    MERGE_HEADS,
    MULTI_HEAD_ATTENTION,
    CROSS_ATTENTION,
    HEAD_CONTRIBUTION,
    HEADS_ADD_UP,
    MHA_PARAM_COUNT,
    MHA_FLOPS,
    PREDICT,
    COUNT_GPT3,
    FIND_THE_BUG,
)
