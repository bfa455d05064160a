"""What Qwen3-Next adds to a block, part by part, against PyTorch's and transformers' own."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import B, C, H, T, normal, seeds
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close
from transformers import DynamicCache, Qwen3NextConfig
from transformers.models.qwen3_next import modeling_qwen3_next as theirs_of
from transformers.models.qwen3_next.modeling_qwen3_next import (
    Qwen3NextAttention,
    Qwen3NextGatedDeltaNet,
    Qwen3NextSparseMoeBlock,
    causal_conv1d_fn,
    causal_conv1d_update,
    l2norm,
)

from course_lib.cache.state import StateCache
from course_lib.config.delta_rule import GatedDeltaRuleConfig
from course_lib.config.norms import RMSNormConfig
from course_lib.counts.attention import state_bytes
from course_lib.efficient.forget_gate import forget_gate
from course_lib.layers.gates import sigmoid_gate
from course_lib.layers.norms import unit_length
from course_lib.layers.short_convolution import short_convolution
from course_lib.model.attention_modules.delta_rule import GatedDeltaRule

W, TOKENS = 4, 9
SIZES = {
    "hidden_size": C,
    "num_hidden_layers": 4,
    "linear_num_value_heads": 6,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 5,
    "linear_value_head_dim": 7,
    "linear_conv_kernel_dim": W,
}
OURS = GatedDeltaRuleConfig(
    num_heads=6,
    num_key_heads=2,
    head_dim=5,
    value_dim=7,
    window=W,
    norm=RMSNormConfig(eps=1e-6),
)


@given(seed=seeds, length=st.integers(1, 9))
def test_the_convolution_is_torchs_with_groups(seed: int, length: int) -> None:
    x, kernel, before = (
        normal(seed, B, length, C),
        normal(seed + 1, W, C),
        normal(seed + 2, B, 3, C),
    )
    y, after = short_convolution(x, kernel, before)
    rows = torch.cat([before, x], dim=1)
    expected = functional.conv1d(rows.mT, kernel.T[:, None], groups=C).mT
    assert_close(y, expected)
    assert torch.equal(after, rows[:, -3:])


@given(seed=seeds)
def test_the_convolution_is_that_of_qwen3_next(seed: int) -> None:
    x, kernel = normal(seed, B, TOKENS, C), normal(seed + 1, W, C)
    y, after = short_convolution(x, kernel)
    assert_close(y, causal_conv1d_fn(x.mT, kernel.T.contiguous()).mT)
    token, state = normal(seed + 2, B, 1, C), after.mT.contiguous()
    step, again = short_convolution(token, kernel, after)
    assert_close(step, causal_conv1d_update(token.mT, state, kernel.T.contiguous()).mT)
    assert torch.equal(again.mT, state)  # theirs was written over


@given(seed=seeds, eps=st.sampled_from([0.0, 1e-6, 0.1]))
def test_length_one_is_theirs(seed: int, eps: float) -> None:
    x = normal(seed, B, T, C)
    assert_close(unit_length(x, eps), l2norm(x, eps=eps))
    assert_close(unit_length(x, 0.0), functional.normalize(x, dim=-1))


@given(seed=seeds)
def test_a_gate_is_torchs_gated_linear_unit(seed: int) -> None:
    x, gate = normal(seed, B, T, C), normal(seed + 1, B, T, C)
    assert_close(sigmoid_gate(x, gate), functional.glu(torch.cat([x, gate], dim=-1)))


@given(seed=seeds)
def test_a_rate_and_a_softplus_are_torchs(seed: int) -> None:
    x, log_rate, bias = normal(seed, B, T, H), normal(seed + 1, H), normal(seed + 2, H)
    forgotten = functional.softplus(x + bias, threshold=40)
    assert_close(forget_gate(x, log_rate, bias), (-log_rate.exp() * forgotten).exp())
    one = torch.zeros(H, dtype=x.dtype)
    assert_close(forget_gate(x, one, one).log(), functional.logsigmoid(-x))


def pair(seed: int) -> tuple[Qwen3NextGatedDeltaNet, GatedDeltaRule]:
    """Theirs, and ours with the same weights, cut by hand: two key heads of three states each."""
    torch.manual_seed(seed)
    theirs = Qwen3NextGatedDeltaNet(Qwen3NextConfig(**SIZES), layer_idx=0)
    with torch.no_grad():
        for number, weight in enumerate(theirs.parameters()):
            weight.add_(0.3 * normal(seed + number, *weight.shape).float())
    ours = GatedDeltaRule(OURS, C)
    heads = theirs.in_proj_qkvz.weight.T.unflatten(1, (2, 5 + 5 + 21 + 21))
    gates = theirs.in_proj_ba.weight.T.unflatten(1, (2, 3 + 3))
    weights = {
        "w_q": heads[..., :5],
        "w_k": heads[..., 5:10],
        "w_v": heads[..., 10:31],
        "w_gate": heads[..., 31:],
        "w_beta": gates[..., :3],
        "w_alpha": gates[..., 3:],
    }
    found = {name: part.flatten(1) for name, part in weights.items()}
    found |= {"kernel": theirs.conv1d.weight[:, 0].T, "w_o": theirs.out_proj.weight.T}
    found |= {"log_rate": theirs.A_log, "b_alpha": theirs.dt_bias, "g_o": theirs.norm.weight}
    ours.load_state_dict({name: part.detach().clone() for name, part in found.items()})
    return theirs.eval(), ours.eval()


@pytest.mark.parametrize("seed", range(4))
def test_the_layer_is_theirs_whole_in_pieces_and_in_its_gradients(seed: int) -> None:
    theirs, ours = pair(seed)
    x = normal(seed, B, TOKENS, C).float()
    expected = theirs(x)
    assert expected.abs().max() > 0.1
    # float32 in both; the largest difference measured is written beside the bound of the models.
    assert_close(ours(x), expected, rtol=1e-4, atol=2e-6)
    given_ = normal(seed + 1, B, TOKENS, C).float()
    (expected * given_).sum().backward()
    (ours(x) * given_).sum().backward()
    assert_close(ours.log_rate.grad, theirs.A_log.grad, rtol=1e-3, atol=1e-5)
    assert_close(ours.kernel.grad, theirs.conv1d.weight.grad[:, 0].T, rtol=1e-3, atol=1e-5)
    assert_close(ours.w_o.grad, theirs.out_proj.weight.grad.T, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("cuts", [[9], [1] * 9, [4, 1, 4], [2, 7]])
def test_the_states_are_theirs_after_each_piece(cuts: list[int]) -> None:
    theirs, ours = pair(7)
    x, cache = normal(0, B, TOKENS, C).float(), StateCache()
    kept = DynamicCache(config=Qwen3NextConfig(**SIZES))
    with torch.no_grad():
        for piece in x.split(cuts, dim=1):
            assert_close(ours(piece, cache), theirs(piece, kept), rtol=1e-4, atol=2e-6)
            state = kept.get_recurrent_state(0, state_idx=0)
            assert_close(cache.state, state, rtol=1e-4, atol=1e-6)
            rows = kept.get_conv_state(0, state_idx=0)
            assert_close(cache.before, rows.mT[:, -(W - 1) :], rtol=1e-5, atol=1e-6)
    held = state.nbytes + rows[..., -(W - 1) :].nbytes
    assert cache.nbytes == held == B * state_bytes(OURS, 4)


def test_what_is_kept_of_a_state_is_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs, ours = pair(3)
    x, seen = normal(5, B, TOKENS, C).float(), {}
    rule = theirs_of.torch_chunk_gated_delta_rule

    def spy(*given: Tensor, **named: Tensor) -> tuple[Tensor, Tensor]:
        seen.update(named)
        return rule(*given, **named)

    monkeypatch.setattr(theirs_of, "torch_chunk_gated_delta_rule", spy)
    with torch.no_grad():
        theirs(x)
        alpha, beta = ours.gates(x)
    assert_close(alpha.mT, seen["g"].exp())
    assert_close(beta.mT, seen["beta"])


def test_gates_stand_where_theirs_stand() -> None:
    """Of attention's output before its last projection, of the shared expert behind its last."""
    config = Qwen3NextConfig(
        **SIZES,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=4,
        num_experts=3,
        num_experts_per_tok=1,
        moe_intermediate_size=5,
        shared_expert_intermediate_size=6,
        attn_implementation="eager",
    )
    attention, x = Qwen3NextAttention(config, 3), normal(1, 1, 1, C).float()
    turn = torch.ones(1, 1, 4), torch.zeros(1, 1, 4)
    with torch.no_grad():  # one token reads itself: what is mixed is its value
        found, _ = attention(x, position_embeddings=turn, attention_mask=None)
        gate = attention.q_proj(x).unflatten(-1, (2, 2, 4))[..., 1, :].flatten(2)
        value = attention.v_proj(x).repeat(1, 1, 2)
        assert_close(found, attention.o_proj(sigmoid_gate(value, gate)))
    block = Qwen3NextSparseMoeBlock(config)
    with torch.no_grad():
        for number, weight in enumerate(block.parameters()):
            weight.copy_(normal(number, *weight.shape))
        whole = block(x)
        block.shared_expert_gate.weight.fill_(0.0)
        half = block(x)
        shared = block.shared_expert(x)
        block.shared_expert_gate.weight.copy_(normal(9, 1, C))
        opened = block(x) - (half - shared / 2)
    assert whole.isfinite().all()
    assert_close(opened, sigmoid_gate(shared, x @ normal(9, C, 1).float()), rtol=1e-4, atol=1e-5)
