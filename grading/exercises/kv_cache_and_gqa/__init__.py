"""The exercises of the chapter on the KV cache and grouped queries."""

from grading.exercises.kv_cache_and_gqa.caching import ATTEND_WITH_CACHE
from grading.exercises.kv_cache_and_gqa.drafting import ACCEPT_DRAFT
from grading.exercises.kv_cache_and_gqa.latent import MLA_ATTENTION
from grading.exercises.kv_cache_and_gqa.measures import SHARE_KEPT
from grading.exercises.kv_cache_and_gqa.memory import KV_CACHE_BYTES
from grading.exercises.kv_cache_and_gqa.pooling import MHA_TO_GQA
from grading.exercises.kv_cache_and_gqa.questions import FIND_THE_BUG, PREDICT
from grading.exercises.kv_cache_and_gqa.sharing import GROUPED_QUERY_ATTENTION
from grading.exercises.kv_cache_and_gqa.testing import TEST_ATTEND_WITH_CACHE

__all__ = ["EXERCISES"]

EXERCISES = (
    KV_CACHE_BYTES,
    PREDICT,
    ATTEND_WITH_CACHE,
    TEST_ATTEND_WITH_CACHE,
    FIND_THE_BUG,
    GROUPED_QUERY_ATTENTION,
    MHA_TO_GQA,
    MLA_ATTENTION,
    ACCEPT_DRAFT,
    SHARE_KEPT,
)
