"""Half precision and keys that nobody reads, against PyTorch's own kernels."""

import pytest
import torch
import torch.nn.functional as F
from strategies import DV, B, D, H, S, T, mask, normal
from torch.testing import assert_close

from course_lib.attention.unread import zero_unread
from course_lib.softmax import log_softmax, logsumexp, softmax

HALVES = (torch.bfloat16, torch.float16)


@pytest.mark.parametrize("dtype", HALVES)
def test_half_precision_is_that_of_pytorchs_kernels(dtype: torch.dtype) -> None:
    x = 3 * normal(0, T, 3000, dtype=dtype)
    # Both sum in float32 and round once. Where the order of a sum decides, they are a digit apart:
    # 2 ** -8 (2 ** -11) of the number, twice.
    step = 2 * (2.0**-8 if dtype == torch.bfloat16 else 2.0**-11)
    for ours, theirs in (
        (softmax(x), torch.softmax(x, -1)),
        (log_softmax(x), torch.log_softmax(x, -1)),
        (logsumexp(x), torch.logsumexp(x.float(), -1).to(dtype)),
    ):
        assert_close(ours, theirs, rtol=step, atol=2.0**-24)


def test_zeros_in_the_padding_are_the_sequence_without_it() -> None:
    query, key, value = normal(0, B, H, T, D), normal(1, B, H, S, D), normal(2, B, H, S, DV)
    is_token = torch.tensor([True, False, True, True, False])
    may_attend = mask(3, T, S) & is_token
    spoilt = key.masked_fill(~is_token[:, None], torch.nan)
    zeros, same = zero_unread(query, spoilt, value, may_attend)
    found = F.scaled_dot_product_attention(query, zeros, same, attn_mask=may_attend)
    shorter = key[:, :, is_token], value[:, :, is_token]
    expected = F.scaled_dot_product_attention(query, *shorter, attn_mask=may_attend[:, is_token])
    assert_close(found, expected)
