"""Linear attention, random features and delta rules against PyTorch, NumPy and transformers."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from strategies import DV, B, D, H, S, T, normal
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close
from transformers.models.qwen3_next.modeling_qwen3_next import (
    torch_chunk_gated_delta_rule,
    torch_recurrent_gated_delta_rule,
)

from course_lib.efficient.delta_rule import (
    delta_rule,
    gated_delta_rule,
    gated_delta_rule_in_chunks,
)
from course_lib.efficient.kernel_attention import (
    causal_kernel_attention,
    elu_features,
    kernel_attention,
    kernel_attention_by_scores,
)
from course_lib.efficient.linear_attention import linear_attention, linear_attention_step
from course_lib.efficient.low_rank import linformer, spectrum
from course_lib.efficient.performer import performer_attention, performer_features


def by_logarithms(kernel: Tensor, value: Tensor, may_attend: Tensor | None = None) -> Tensor:
    """PyTorch's fused softmax over the logarithms of a kernel: the same weights by another way."""
    bias = kernel.log()
    if may_attend is not None:
        bias = bias.masked_fill(~may_attend, -torch.inf)
    nothing = kernel.new_zeros(*kernel.shape[:-1], 1), kernel.new_zeros(*value.shape[:-1], 1)
    return F.scaled_dot_product_attention(*nothing, value, bias)


def test_linear_attention_in_all_its_forms() -> None:
    query, key, value = (normal(i, B, S, size) for i, size in enumerate((D, D, DV)))
    features = F.elu(query) + 1, F.elu(key) + 1
    assert_close(elu_features(query), features[0])
    kernel, causal = features[0] @ features[1].mT, torch.ones(S, S).bool().tril()
    expected = by_logarithms(kernel, value, causal)
    for output in (
        linear_attention(query, key, value, causal=True),
        causal_kernel_attention(*features, value, 2),
        kernel_attention_by_scores(*features, value, causal),
    ):
        assert_close(output, expected)
    for output in (
        linear_attention(query, key, value, causal=False),
        kernel_attention(*features, value),
    ):
        assert_close(output, by_logarithms(kernel, value))
    sums = torch.einsum("bsd,bse->bsde", features[1], value).cumsum(1)
    counted = features[1].cumsum(1)
    before = [query[:, 3], key[:, 3], value[:, 3], sums[:, 2], counted[:, 2]]
    found = linear_attention_step(*before)
    assert_close(found, (expected[:, 3], sums[:, 3], counted[:, 3]))


def test_positive_features_under_a_quadrature_are_the_exponential() -> None:
    """Gauss and Hermite's nodes for the normal distribution, from NumPy, in the random rows' place.

    The mean over w is then exact to the digits that 40 nodes give: no draw, no standard error.
    """
    nodes, shares = np.polynomial.hermite_e.hermegauss(40)
    grid = torch.cartesian_prod(*[torch.from_numpy(nodes)] * 2)
    share = torch.cartesian_prod(*[torch.from_numpy(shares / shares.sum())] * 2).prod(-1)
    query, key = normal(0, T, 2), normal(1, S, 2)
    weighted = performer_features(query, grid) * share * len(grid)
    products = weighted @ performer_features(key, grid).mT
    assert_close(products, (query @ key.mT / 2**0.5).exp(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("causal", [True, False])
def test_performer_attention_is_a_softmax_of_log_means(causal: bool) -> None:
    query, key, value = (normal(i, B, S, size) for i, size in enumerate((D, D, DV)))
    w = normal(3, 9, D)
    sums = (query[:, :, None] + key[:, None]) / D**0.25
    logs = (sums @ w.mT).logsumexp(-1) - ((query**2).sum(-1)[:, :, None] + (key**2).sum(-1)[:, None]
                                          ) / (2 * D**0.5)  # fmt: skip
    causal_only = torch.ones(S, S).bool().tril() if causal else None
    expected = by_logarithms(logs.exp(), value, causal_only)
    assert_close(performer_attention(query, key, value, w, causal), expected)


def test_linformer_is_the_kernel_over_mixed_keys() -> None:
    query, key, value = normal(0, B, H, T, D), normal(1, B, H, S, D), normal(2, B, H, S, DV)
    e, f = normal(3, 2, S), normal(4, 2, S)
    mixed = [F.conv1d(x.flatten(0, 1), w[:, :, None]) for x, w in ((key, e), (value, f))]
    keys, values = (part.unflatten(0, (B, H)) for part in mixed)
    expected = F.scaled_dot_product_attention(query, keys, values)
    assert_close(linformer(query, key, value, e, f), expected)


def test_spectra_are_numpys_singular_values_and_the_nuclear_norm() -> None:
    weights = normal(0, B, S, T).softmax(-1)
    values = np.linalg.svd(weights.numpy(), compute_uv=False)
    for r in range(T + 2):
        expected = values[:, :r].sum(-1) / values.sum(-1)
        assert_close(spectrum(weights, r), torch.from_numpy(expected))
    largest = torch.linalg.matrix_norm(weights, 2) / torch.linalg.matrix_norm(weights, "nuc")
    assert_close(spectrum(weights, 1), largest)


@pytest.mark.parametrize("length", [1, 7, 70])  # the last one has a second chunk, of six
def test_delta_rules_of_qwen3_next(length: int) -> None:
    parts = [
        normal(i, B, H, length, size, dtype=torch.float32) for i, size in enumerate((D, D, DV))
    ]
    query, key, value = parts[0], F.normalize(parts[1], dim=-1), parts[2]
    gates = [normal(i, B, H, length, dtype=torch.float32).sigmoid() for i in (3, 4)]
    alpha, beta = gates
    state = normal(5, B, H, D, DV, dtype=torch.float32)

    def theirs(
        function: Callable[..., tuple[Tensor, Tensor]], decay: Tensor
    ) -> tuple[Tensor, Tensor]:
        # They divide queries by √D, and have the positions before the heads.
        moved = [x.transpose(1, 2) for x in (query * D**0.5, key, value, decay, beta)]
        output, last = function(*moved, initial_state=state, output_final_state=True)
        return output.transpose(1, 2), last

    for function in (torch_recurrent_gated_delta_rule, torch_chunk_gated_delta_rule):
        # float32 in both; the largest difference measured is 3e-6 of numbers up to 8.
        close = {"rtol": 1e-5, "atol": 1e-5}
        expected = theirs(function, alpha.log())
        for ours in (gated_delta_rule, gated_delta_rule_in_chunks):
            assert_close(ours(query, key, value, alpha, beta, state), expected, **close)
        expected = theirs(function, torch.zeros_like(alpha))
        assert_close(delta_rule(query, key, value, beta, state), expected, **close)
