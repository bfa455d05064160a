"""Every function at another cost, with strides, in half precision, and for a batch of nothing."""

from pathlib import Path

import pytest
import torch
from calls_at_any_cost import CALLS
from library import LIBRARY, public_functions, sources
from strategies import normal
from torch import Tensor
from torch.testing import assert_close

from course_lib.efficient import delta_rule
from course_lib.efficient.block_sparse import block_sparse_attention, permuted_block_attention
from course_lib.efficient.learnt_index import index_scores, top_k_attention
from course_lib.efficient.linear_attention import linear_attention, linear_attention_step
from course_lib.efficient.low_rank import linformer
from course_lib.efficient.lsh import lsh_attention
from course_lib.efficient.performer import performer_attention
from course_lib.efficient.sliding import sliding_attention
from course_lib.efficient.streaming import streaming_step
from course_lib.exact.blockwise import blockwise_attention
from course_lib.exact.merging import merge_sink, merge_splits
from course_lib.experts import balance, capacity

#: Public functions of these rooms that take no numbers of floating point, or hand them on.
WITHOUT_NUMBERS = {
    "strided_mask", "fixed_mask", "global_mask", "bigbird_mask", "blockwise_mask", "random_mask",
    "block_sparse_mask", "streaming_mask", "streaming_keep", "density", "reach", "top_k_mask",
    "lsh_hash", "duplicate_counts", "ring_schedule", "shard", "unshard", "tiles_of_rank",
    "expert_load", "max_violation", "expert_capacity", "capacity_dispatch", "expert_dispatch",
    "choose", "orthogonal_projections",
}  # fmt: skip
#: Tested elsewhere, or part of one that stands in the table.
ELSEWHERE = {
    "blockwise_forward": "flash_forward and blockwise_attention call it",
    "blockwise_backward": "blockwise_attention's gradients are its",
    "spectrum": "a measure of one matrix, never trained through",
    "ring_attention": "several processes: tests/course_lib/exact/test_ring.py",
    "through_experts": "the mixtures call it",
    "input_weighted_moe_forward": "tests/course_lib/experts/test_input_weighted.py",
    "each_its_gate": "tests/course_lib/experts/test_input_weighted.py",
    "grouped_softmax_router": "tests/course_lib/experts/test_softmax_router.py",
    "triton_forward": "no float64 and no gradients: tests/oracles/test_triton_against_torch.py",
    "through_experts_of_all_ranks": "several processes: tests/course_lib/experts/test_parallel.py",
}
NAMES = list(CALLS)


def every_second(x: Tensor) -> Tensor:
    """The same numbers with others between them: no stride is 1."""
    return torch.stack([x, torch.full_like(x, torch.nan)], -1).flatten(-2)[..., ::2]


def turned(x: Tensor) -> Tensor:
    """The same numbers, the last two axes the other way round in memory."""
    return x.mT.contiguous().mT if x.ndim > 1 else x


def trained(results: tuple[Tensor, ...]) -> list[Tensor]:
    return [x for x in results if x.requires_grad]


def test_every_function_stands_in_the_table() -> None:
    rooms = [LIBRARY / room for room in ("efficient", "exact", "experts")]
    public = {
        name
        for room in rooms
        for path in sources(Path(room))
        for name in public_functions(path)
        if not name.startswith("require_")
    }
    assert set(CALLS) | WITHOUT_NUMBERS | set(ELSEWHERE) == public
    assert not set(CALLS) & (WITHOUT_NUMBERS | set(ELSEWHERE))


@pytest.mark.parametrize("strided", [every_second, turned])
@pytest.mark.parametrize("name", NAMES)
def test_strides_change_neither_results_nor_gradients(name: str, strided: object) -> None:
    call = CALLS[name]
    found = []
    for lay_out in (strided, torch.clone):
        leaves = [x.clone().requires_grad_() for x in call.tensors]
        results = call.results(*(lay_out(x) for x in leaves))  # type: ignore[operator]
        outputs = trained(results)
        arriving = [lay_out(normal(50, *x.shape)) if x.ndim else x.new_ones(()) for x in outputs]  # type: ignore[operator]
        found.append((results, torch.autograd.grad(outputs, leaves, arriving, allow_unused=True)
                      if outputs else None))  # fmt: skip
    assert_close(*found, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", [name for name in NAMES if CALLS[name].once])
def test_half_precision_is_rounded_once(name: str, dtype: torch.dtype) -> None:
    """What comes back is the exact result for the rounded inputs, rounded, or it is float32."""
    low = [x.to(dtype) for x in CALLS[name].tensors]
    exact = CALLS[name].results(*(x.double() for x in low))
    for found, expected in zip(CALLS[name].results(*low), exact, strict=True):
        assert found.dtype in (dtype, torch.float32)
        half_a_unit = 0.51 * torch.finfo(found.dtype).eps
        atol = 1e-5 if found.dtype == torch.float32 else 1e-6
        assert_close(found.double(), expected, rtol=max(half_a_unit, 1e-5), atol=atol)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", [name for name in NAMES if not CALLS[name].once])
def test_several_products_in_half_precision_keep_their_dtype(name: str, dtype: torch.dtype) -> None:
    low = [x.to(dtype) for x in CALLS[name].tensors]
    exact = CALLS[name].results(*(x.double() for x in low))
    for found, expected in zip(CALLS[name].results(*low), exact, strict=True):
        assert found.dtype == dtype
        # A few roundings of the largest number that is added up.
        atol = 4 * torch.finfo(dtype).eps * expected.abs().max().item()
        assert_close(found.double(), expected, rtol=0, atol=atol)


@pytest.mark.parametrize("name", [name for name in NAMES if CALLS[name].batched])
def test_a_batch_of_nothing_gives_nothing_and_gradients_of_zero(name: str) -> None:
    call = CALLS[name]
    pairs = zip(call.tensors, call.batched, strict=True)
    leaves = [(x[:0] if has == "b" else x).clone().requires_grad_() for x, has in pairs]
    for found, one in zip(call.results(*leaves), call.results(*call.tensors), strict=True):
        if found.ndim:
            assert found.numel() == 0
            assert found.ndim == one.ndim
        else:
            assert found == 0
        if found.requires_grad:
            gradients = torch.autograd.grad(
                found.sum(), leaves, retain_graph=True, allow_unused=True
            )
            assert not any(x.any() for x in gradients if x is not None)


# What float16 cannot hold, and what is written for it

FAR = torch.tensor([[300.0, 299.0], [300.0, 300.0], [300.0, 280.0], [300.0, 250.0]]).half()
HEAVY = FAR.expand(1, 2, 4, 2), FAR.expand(1, 2, 4, 2), torch.arange(8.0).view(1, 2, 4, 1).half()
LARGE = {
    "sliding_attention": lambda q, k, v: sliding_attention(q, k, v, 2),
    "block_sparse_attention": lambda q, k, v: block_sparse_attention(
        q, k, v, torch.ones(4, 4).bool(), 3
    ),
    "permuted_block_attention": lambda q, k, v: permuted_block_attention(
        q, k, v, torch.tensor([1, 0]), 2
    ),
    "top_k_attention": lambda q, k, v: top_k_attention(q, k, v, torch.zeros(1, 4, 4), 3),
    "streaming_step": lambda q, k, v: streaming_step(q[:, :, -1:], k, v, 1, 2, 10.0),
    "index_scores": lambda q, k, v: index_scores(q.transpose(1, 2), k[:, 0], v[..., 0].mT / 1e4),
    "linformer": lambda q, k, v: linformer(q, k, v, FAR.mT.to(q), FAR.mT.to(q)),
    "linear_attention": lambda q, k, v: linear_attention(-q / 10, -k / 10, v, True),
    "linear_attention_step": lambda q, k, v: linear_attention_step(
        -q[..., 0, :] / 10, -k[..., 0, :] / 10, v[..., 0, :], torch.zeros(1, 2, 2, 1).double(),
        torch.zeros(1, 2, 2).double(),
    )[0],
    "performer_attention": lambda q, k, v: performer_attention(
        q / 50, torch.arange(2, 6).to(q)[:, None] * k / 300, v, normal(1, 8, 2, dtype=q.dtype), True
    ),
    "lsh_attention": lambda q, k, v: lsh_attention(q, v, torch.zeros(1, 2, 4).long(), 4, True)[0],
    "blockwise_attention": lambda q, k, v: blockwise_attention(q, k, v, True, None, 3)[0],
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
def test_numbers_beyond_float16_on_the_way_do_no_harm(name: str) -> None:
    """Scores of 90,000, mixtures of as much, features of e^-30: the results are ordinary."""
    found = LARGE[name](*HEAVY)
    expected = LARGE[name](*(x.double() for x in HEAVY))
    assert found.isfinite().all()
    assert_close(found.double(), expected, rtol=2**-10, atol=1e-3)


@pytest.mark.parametrize("height", [10.0, 1e3, 1e5])
def test_merged_weights_sum_to_one_however_large_the_sums(height: float) -> None:
    """exp(lse - total) would miss it by a rounding of the total: by 0.4 % at 10⁵."""
    lses = torch.full((3, 4), height) + torch.arange(3.0)[:, None]
    output, _ = merge_splits(torch.ones(3, 4, 2), lses)
    assert_close(output, torch.ones(4, 2))
    half, _ = merge_sink(torch.ones(1, 1, 4, 2), lses[None, :1], torch.tensor([height]))
    assert_close(half, torch.full((1, 1, 4, 2), 0.5))


def test_a_bias_in_bfloat16_moves_by_a_thousandth() -> None:
    bias = torch.full((3,), 0.5, dtype=torch.bfloat16)
    for _ in range(10):
        bias = balance.bias_update(torch.tensor([4, 1, 1]), bias, 1e-3)
    assert_close(bias, torch.tensor([0.49, 0.51, 0.51]))


def test_counts_beyond_what_bfloat16_tells_apart_still_have_a_sign() -> None:
    load = torch.tensor([40_841, 40_840, 40_839])
    assert balance.bias_update(load, torch.zeros(3), 1.0).tolist() == [-1.0, 0.0, 1.0]


def test_no_sequence_has_slots_of_its_own_shape() -> None:
    nothing = torch.zeros(0, 7, 2).long()
    assert capacity.capacity_dispatch(nothing, 5, 1.0).shape == (0, 7, 2)


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize("causal", [True, False])
def test_performer_without_keys_says_what_is_missing(causal: bool) -> None:
    query, key, value = torch.zeros(1, 2, 3), torch.zeros(1, 0, 3), torch.zeros(1, 0, 4)
    with pytest.raises(ValueError, match=r"there are S=0; shapes \(1, 0, 3\) and \(1, 0, 4\)"):
        performer_attention(query, key, value, torch.ones(5, 3), causal)


@pytest.mark.parametrize("tokens", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("held", [torch.bfloat16, torch.float32, torch.float64])
def test_a_state_may_be_wider_or_narrower_than_its_tokens(
    held: torch.dtype, tokens: torch.dtype
) -> None:
    for name, rule in (
        ("linear_attention_step", linear_attention_step),
        ("gated_delta_rule", delta_rule.gated_delta_rule),
        ("gated_delta_rule_in_chunks", delta_rule.gated_delta_rule_in_chunks),
    ):
        parts = [x.to(tokens) for x in CALLS[name].tensors]
        kept = 3 if rule is linear_attention_step else 5
        states = [x.to(held) for x in CALLS["linear_attention_step"].tensors[3:]]
        states = states if rule is linear_attention_step else states[:1]
        output, *after = rule(*parts[:kept], *states)
        exact, *wide = rule(*(x.double() for x in (*parts[:kept], *states)))
        assert output.dtype == tokens
        assert_close(output.double(), exact, rtol=0.51 * torch.finfo(tokens).eps + 1e-6, atol=1e-5)
        for found, expected in zip(after, wide, strict=True):
            assert found.dtype == held
            unit = torch.finfo(held).eps
            assert_close(found.double(), expected, rtol=0.51 * unit + 1e-6, atol=1e-5)


#: Calls whose choices, tables and masks stay on the processor while the numbers lie elsewhere.
CHOSEN_ELSEWHERE = (
    "block_sparse_attention", "permuted_block_attention", "top_k_attention", "index_loss",
    "kernel_attention_by_scores", "lsh_attention", "multi_round_lsh_attention", "paged_attention",
    "expert_choice_forward", "load_balance_loss", "bias_update", "drop_overflow", "moe_forward",
    "gated_moe_forward", "clamped_moe_forward", "expert_combine",
)  # fmt: skip


@pytest.mark.parametrize("name", CHOSEN_ELSEWHERE)
def test_what_chooses_lies_where_the_numbers_lie(name: str) -> None:
    elsewhere = [x.to("meta") for x in CALLS[name].tensors]
    with pytest.raises(ValueError, match=r"lie on one device; \w+ lies on meta and \w+ on cpu"):
        CALLS[name].results(*elsewhere)


#: Read position by position, or token by token: nothing that has no numbers passes.
READS_NUMBERS = ("streaming_step", "grouped_matmul")


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(CHOSEN_ELSEWHERE) - set(READS_NUMBERS)))
def test_masks_of_its_own_are_made_where_the_numbers_lie(name: str) -> None:
    elsewhere = [x.to("meta") for x in CALLS[name].tensors]
    assert all(x.device.type == "meta" for x in CALLS[name].results(*elsewhere))
