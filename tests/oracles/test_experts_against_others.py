"""Routers, mixtures and what balances them, against transformers' models and grouped products."""

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from strategies import B, C, normal, seeds
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close
from transformers import DeepseekV2Config, DeepseekV3Config, GptOssConfig, MixtralConfig
from transformers.models.deepseek_v2.modeling_deepseek_v2 import DeepseekV2TopkRouter
from transformers.models.deepseek_v3.modeling_deepseek_v3 import (
    DeepseekV3MoE,
    DeepseekV3TopkRouter,
)
from transformers.models.gpt_oss import modeling_gpt_oss as gpt_oss
from transformers.models.mixtral import modeling_mixtral as mixtral
from transformers.models.nllb_moe.modeling_nllb_moe import NllbMoeTop2Router
from transformers.models.switch_transformers import modeling_switch_transformers as switch

from course_lib.experts.affine_router import affine_topk_router
from course_lib.experts.balance import expert_load, load_balance_loss, router_z_loss
from course_lib.experts.capacity import capacity_dispatch, drop_overflow, expert_capacity
from course_lib.experts.clamped import ClampedExperts, clamped_moe_forward
from course_lib.experts.dispatch import expert_combine, expert_dispatch
from course_lib.experts.expert_choice import expert_choice, expert_choice_forward
from course_lib.experts.mixture import (
    gated_moe_forward,
    grouped_matmul,
    moe_forward,
    shared_experts,
)
from course_lib.experts.routed import through_experts
from course_lib.experts.router import (
    choose,
    grouped_sigmoid_router,
    limit_groups,
    sigmoid_router,
    topk_router,
)
from course_lib.experts.softmax_router import grouped_softmax_router
from course_lib.layers.gates import oai_swiglu

T, E, A, FF = 9, 8, 3, 5


def fill(module: torch.nn.Module, seed: int) -> None:
    for i, tensor in enumerate((*module.parameters(), *module.buffers())):
        tensor.data = normal(seed + i, *tensor.shape).to(tensor.dtype)


def ours_from(fused: Tensor) -> tuple[Tensor, Tensor]:
    """Gate and up, E C F, from one matrix E 2F C."""
    gate, up = fused.detach().mT.chunk(2, -1)
    return gate, up


def assert_same_choices(ours: tuple[Tensor, Tensor], weights: Tensor, experts: Tensor) -> None:
    """In whatever order each names them."""
    by_expert = [
        torch.zeros(len(chosen), E).scatter(1, chosen, share)
        for chosen, share in (ours, (experts, weights))
    ]
    assert_close(*by_expert)
    assert torch.equal(ours[0].sort(1).values, experts.sort(1).values)


def test_a_mixture_is_mixtrals_with_its_gradients() -> None:
    config = MixtralConfig(
        hidden_size=C, intermediate_size=FF, num_local_experts=E, num_experts_per_tok=A,
        experts_implementation="eager",
    )  # fmt: skip
    block = mixtral.MixtralSparseMoeBlock(config)
    fill(block, 0)
    x = normal(9, B, T, C).float().requires_grad_()
    w_gate = block.gate.weight.detach().mT.clone().requires_grad_()
    gate, up = (w.clone().requires_grad_() for w in ours_from(block.experts.gate_up_proj))
    down = block.experts.down_proj.detach().mT.clone().requires_grad_()
    _, share, chosen = block.gate(x)
    experts, weights = topk_router(x, w_gate, A)
    assert_same_choices((experts.flatten(0, 1), weights.flatten(0, 1)), share, chosen)
    output = gated_moe_forward(x, experts, weights, gate, up, down)
    expected = block(x)
    assert_close(output, expected)
    gradient = normal(10, *output.shape).float()
    actual = torch.autograd.grad(output, (x, w_gate, gate, up, down), gradient)
    parameters = (block.gate.weight, block.experts.gate_up_proj, block.experts.down_proj)
    theirs = torch.autograd.grad(expected, (x, *parameters), gradient)
    in_our_form = (theirs[0], theirs[1].mT, *ours_from(theirs[2]), theirs[3].mT)
    assert_close(actual, in_our_form, rtol=1e-4, atol=1e-4)  # sums of float32 in another order


@pytest.mark.parametrize(("groups", "kept"), [(1, 1), (4, 2), (2, 1)])
def test_routing_and_shared_experts_are_deepseeks(groups: int, kept: int) -> None:
    config = DeepseekV3Config(
        hidden_size=C, moe_intermediate_size=FF, n_routed_experts=E, num_experts_per_tok=A,
        n_group=groups, topk_group=kept, n_shared_experts=2, routed_scaling_factor=2.5,
        norm_topk_prob=True,
    )  # fmt: skip
    router = DeepseekV3TopkRouter(config)
    fill(router, 0)
    x, w_gate = normal(9, T, C).float(), router.weight.detach().mT
    bias = router.e_score_correction_bias
    _, share, chosen = router(x)
    experts, weights = grouped_sigmoid_router(x, w_gate, A, bias, groups, kept)
    assert_same_choices((experts, 2.5 * weights), share, chosen)
    if groups == 1:
        experts, weights = sigmoid_router(x, w_gate, A, bias)
        assert_same_choices((experts, 2.5 * weights), share, chosen)
    block = DeepseekV3MoE(config)
    fill(block, 20)
    block.gate = router
    gate, up = ours_from(block.experts.gate_up_proj)
    down = block.experts.down_proj.detach().mT
    routed = gated_moe_forward(x, experts, 2.5 * weights, gate, up, down)
    mlp = block.shared_experts
    wide = [w.weight.detach().mT for w in (mlp.gate_proj, mlp.up_proj)]  # C 2F: two experts
    apart = [w.unflatten(1, (2, FF)).transpose(0, 1) for w in wide]
    shared = shared_experts(x, *apart, mlp.down_proj.weight.detach().mT.unflatten(0, (2, FF)))
    assert_close(routed + shared, block(x[None])[0], rtol=1e-4, atol=1e-4)


def test_groups_and_choices_by_torchs_topk() -> None:
    priorities = normal(0, T, E)
    values, best = priorities.topk(A)
    assert torch.equal(choose(priorities, A), best)
    assert_close(priorities.gather(1, choose(priorities, A)), values)
    quality = priorities.unflatten(1, (4, 2)).topk(2).values.sum(-1)
    kept = torch.zeros(T, 4).bool().scatter(1, quality.topk(2).indices, True)
    expected = priorities.where(kept.repeat_interleave(2, 1), -torch.inf)
    assert_close(limit_groups(priorities, 4, 2), expected)


@given(seed=seeds)
def test_the_balance_loss_is_mixtrals_and_switchs(seed: int) -> None:
    logits = normal(seed, 2, T, E).float()
    keep = normal(seed + 1, T) > -0.5
    keep[0] = True
    for layer in logits:
        experts = choose(layer, A)
        for mask in (None, keep):
            theirs = mixtral.load_balancing_loss_func(
                (layer,), E, A, None if mask is None else mask[None].long()
            )
            assert_close(load_balance_loss(layer[None], experts[None], mask), theirs)
    experts = choose(logits, 1)
    theirs = switch.load_balancing_loss_func(logits.softmax(-1), experts[..., 0])
    assert_close(load_balance_loss(logits, experts), theirs)
    assert_close(router_z_loss(logits), switch.router_z_loss_func(logits))


def test_loads_are_a_histogram() -> None:
    experts = choose(normal(0, T, E), A)
    histogram = torch.histc(experts.float(), bins=E, min=0, max=E - 1)
    assert torch.equal(expert_load(experts, E), histogram.long())


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.25, 3.0])
def test_slots_are_those_of_switch_and_nllb(factor: float) -> None:
    logits = normal(0, B, T, E).float()
    one = choose(logits, 1)
    room = expert_capacity(T, 1, E, factor)
    config = SimpleNamespace(
        num_experts=E, expert_capacity=room, hidden_size=E, router_bias=False,
        router_dtype="float32", router_jitter_noise=0.0, router_ignore_padding_tokens=False,
    )  # fmt: skip
    router = switch.SwitchTransformersTop1Router(config)
    router.classifier.weight.data = torch.eye(E)
    taken, _, _ = router(logits)
    assert torch.equal(capacity_dispatch(one, E, factor)[..., 0] >= 0, taken.sum(-1) > 0)

    two = choose(logits, 2)
    config = SimpleNamespace(
        num_experts=E, expert_capacity=expert_capacity(T, 2, E, factor), hidden_size=E,
        router_bias=False, router_dtype="float32", router_ignore_padding_tokens=False,
        second_expert_policy="all", normalize_router_prob_before_dropping=True,
        batch_prioritized_routing=False, moe_eval_capacity_token_fraction=-1.0,
    )  # fmt: skip
    weights = logits.gather(-1, two).softmax(-1)
    left = drop_overflow(weights, capacity_dispatch(two, E, factor))
    for b in range(B):  # its router takes the tokens of a batch as one sequence
        _, combined = NllbMoeTop2Router(config).route_tokens(logits[b])
        assert_close(torch.zeros(T, E).scatter(1, two[b], left[b]), combined)


def test_grouped_products_are_torchs() -> None:
    rows, weights = normal(0, 12, 16).bfloat16(), normal(1, 4, 16, 32).bfloat16()
    counts = torch.tensor([5, 0, 4, 3])
    expected = F.grouped_mm(rows, weights, offs=counts.cumsum(0).int())
    assert_close(grouped_matmul(rows, counts, weights), expected)


@given(seed=seeds)
def test_a_plain_mixture_by_one_hot_products(seed: int) -> None:
    # GShard's form: every expert sees every token, and a one-hot tensor picks.
    x, experts = normal(seed, B, T, C), choose(normal(seed + 1, B, T, E), A)
    weights = normal(seed + 2, B, T, A).softmax(-1)
    w_up, w_down = normal(seed + 3, E, C, FF), normal(seed + 4, E, FF, C)
    every = torch.einsum("btef,efc->btec", F.silu(torch.einsum("btc,ecf->btef", x, w_up)), w_down)
    picked = (F.one_hot(experts, E) * weights[..., None]).sum(2)  # B T E
    expected = torch.einsum("bte,btec->btc", picked, every)
    assert_close(moe_forward(x, experts, weights, w_up, w_down), expected)
    order, counts = expert_dispatch(experts[0], E, E)
    sent = x[0][order // A]
    owners = torch.repeat_interleave(torch.arange(E), counts)
    assert torch.equal(owners, experts[0].flatten()[order])
    given_back = torch.stack([row @ w_up[e] for row, e in zip(sent, owners, strict=True)])
    combined = expert_combine(given_back, order, weights[0])
    assert_close(combined, torch.einsum("te,tc,ecf->tf", picked[0], x[0], w_up))


@given(seed=seeds)
def test_expert_choice_by_the_papers_products(seed: int) -> None:
    # Zhou et al. 2022, sec. 3.2: P = one-hot of I, X_in = P X, X_out = sum of P G X_e.
    x, w_gate, k = normal(seed, T, C), normal(seed + 1, C, E), 4
    w_up, w_down = normal(seed + 2, E, C, FF), normal(seed + 3, E, FF, C)
    gates, index = (x @ w_gate).softmax(-1).mT.topk(k)
    tokens, weights = expert_choice(x, w_gate, k)
    assert_close((tokens, weights), (index, gates))
    permutation = F.one_hot(index, T).double()  # E k T
    sent = torch.einsum("ekt,tc->ekc", permutation, x)
    results = torch.einsum("ekf,efc->ekc", F.silu(torch.einsum("ekc,ecf->ekf", sent, w_up)), w_down)
    expected = torch.einsum("ekt,ek,ekc->tc", permutation, gates, results)
    assert_close(expert_choice_forward(x, tokens, weights, w_up, w_down), expected)


@given(seed=seeds)
def test_router_gate_and_mixture_are_gpt_osss(seed: int) -> None:
    config = GptOssConfig(
        hidden_size=C,
        intermediate_size=FF,
        num_local_experts=E,
        num_experts_per_tok=A,
        experts_implementation="eager",
    )
    router, experts = gpt_oss.GptOssTopKRouter(config), gpt_oss.GptOssExperts(config)
    for module in (router, experts):
        fill(module, seed)
    x = normal(seed + 9, T, C).float()
    with torch.no_grad():
        _, weights, chosen = router(x)
        ours = affine_topk_router(x, router.weight.T, router.bias, A)
        assert_same_choices(ours, weights, chosen)
        gates = 6 * normal(seed + 3, T, 2 * FF)
        assert_close(oai_swiglu(gates), experts._apply_gate(gates))
        parts = ClampedExperts(
            w_gate_up=experts.gate_up_proj,
            b_gate_up=experts.gate_up_proj_bias,
            w_down=experts.down_proj,
            b_down=experts.down_proj_bias,
        )
        expected = experts(x, chosen, weights)
        assert_close(clamped_moe_forward(x, *ours, parts), expected)


@given(seed=seeds)
def test_through_experts_is_a_loop_over_linear_layers(seed: int) -> None:
    x, layers = normal(seed, T, C), [torch.nn.Linear(C, C).double() for _ in range(E)]
    experts = choose(normal(seed + 1, T, E), A)
    weights = normal(seed + 2, T, A).softmax(-1)

    def network(rows: Tensor, counts: Tensor) -> Tensor:
        parts = rows.split(counts.tolist())
        return torch.cat([layer(part) for layer, part in zip(layers, parts, strict=True)])

    expected = sum(
        (weights * (experts == e)).sum(-1, keepdim=True) * layer(x)
        for e, layer in enumerate(layers)
    )
    assert_close(through_experts(x, experts, weights, E, network), expected)


@pytest.mark.parametrize(("groups", "kept"), [(1, 1), (4, 2), (2, 1), (4, 4)])
@given(seed=seeds)
def test_shares_among_groups_are_those_of_deepseek_v2(groups: int, kept: int, seed: int) -> None:
    config = DeepseekV2Config(
        hidden_size=C, num_attention_heads=1, n_routed_experts=E, num_experts_per_tok=A,
        n_group=groups, topk_group=kept,
        topk_method="group_limited_greedy" if groups > 1 else "greedy",
    )  # fmt: skip
    theirs = DeepseekV2TopkRouter(config)
    fill(theirs, seed)
    x = normal(seed + 9, T, C).float()
    with torch.no_grad():
        _, weights, experts = theirs(x)
    ours = grouped_softmax_router(x, theirs.weight.detach().T, A, groups, kept)
    assert_same_choices(ours, weights, experts)
