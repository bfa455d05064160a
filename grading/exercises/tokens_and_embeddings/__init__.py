"""The exercises of the chapter on tokens and embeddings."""

from grading.exercises.tokens_and_embeddings.encoding import BPE_ENCODE
from grading.exercises.tokens_and_embeddings.merging import MERGE_PAIR
from grading.exercises.tokens_and_embeddings.order import SUM_IS_ORDER_BLIND
from grading.exercises.tokens_and_embeddings.questions import (
    FIND_THE_BUG,
    PREDICT_SHARE,
    PREDICT_TOKENS,
)
from grading.exercises.tokens_and_embeddings.tables import EMBED
from grading.exercises.tokens_and_embeddings.testing import TEST_BPE_ENCODE
from grading.exercises.tokens_and_embeddings.training import BPE_TRAIN
from grading.exercises.tokens_and_embeddings.unembedding import UNEMBED
from grading.exercises.tokens_and_embeddings.warm_ups import ALL_ON_ONE

__all__ = ["EXERCISES"]

EXERCISES = (
    ALL_ON_ONE,
    PREDICT_TOKENS,
    MERGE_PAIR,
    BPE_TRAIN,
    BPE_ENCODE,
    TEST_BPE_ENCODE,
    FIND_THE_BUG,
    EMBED,
    UNEMBED,
    PREDICT_SHARE,
    SUM_IS_ORDER_BLIND,
)
