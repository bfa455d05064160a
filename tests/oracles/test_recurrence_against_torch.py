"""Recurrent networks against PyTorch's cells, layers and its automatic Jacobians."""

import pytest
import torch
from strategies import B, C, D, S, T, normal
from torch import Tensor, nn
from torch.nn import functional as F
from torch.testing import assert_close

from course_lib.counts.paths import path_length
from course_lib.recurrence.cells import gru_step, lstm_step, rnn_step
from course_lib.recurrence.gradients import product_norms, state_jacobian_norms, step_jacobians
from course_lib.recurrence.seq2seq import RecurrentEncoderDecoder, draw
from course_lib.recurrence.seq2seq_attention import AttentionEncoderDecoder, align_step
from course_lib.recurrence.sequences import gru_forward, lstm_forward, rnn_forward

N = 4
DTYPES = (torch.float32, torch.float64)
#: Largest absolute difference in float32, of states within ±1 (the LSTM's cell within ±4);
#: measured 1.2e-7 for a step, 2.4e-7 for a sequence of 40, 6e-8 for the norms,
#: 1.2e-7 for the context of a step.
FLOAT32 = 5e-7


def assert_near(ours: Tensor, theirs: Tensor) -> None:
    assert_close(ours, theirs)
    if ours.dtype == torch.float32:
        assert (ours - theirs).abs().max() < FLOAT32


def weights(module: nn.Module, suffix: str = "") -> list[Tensor]:
    """w_x, w_h, b_x, b_h of a cell or of a layer (suffix _l0), in our layout."""
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    w_x, w_h, b_x, b_h = (getattr(module, name + suffix).detach() for name in names)
    return [w_x.T, w_h.T, b_x, b_h]


def stacked_lstm(module: nn.Module, suffix: str = "") -> tuple[Tensor, Tensor]:
    w_x, w_h, b_x, b_h = weights(module, suffix)
    return torch.cat([w_x, w_h]), b_x + b_h


def made(kind: type[nn.Module], seed: int, dtype: torch.dtype, **options: object) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return kind(C, N, dtype=dtype, **options)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(5))
def test_steps_are_those_of_the_cells(seed: int, dtype: torch.dtype) -> None:
    x, h = normal(seed, B, C, dtype=dtype), normal(seed + 1, B, N).tanh().to(dtype)
    c = 2 * normal(seed + 2, B, N, dtype=dtype)
    cell = made(nn.RNNCell, seed, dtype)
    w_x, w_h, b_x, b_h = weights(cell)
    assert_near(rnn_step(x, h, w_x, w_h, b_x + b_h), cell(x, h).detach())
    cell = made(nn.GRUCell, seed, dtype)
    assert_near(gru_step(x, h, *weights(cell)), cell(x, h).detach())
    cell = made(nn.LSTMCell, seed, dtype)
    for ours, theirs in zip(lstm_step(x, h, c, *stacked_lstm(cell)), cell(x, (h, c)), strict=True):
        assert_near(ours, theirs.detach())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("steps", [1, T, 40])
def test_sequences_are_those_of_the_layers(steps: int, dtype: torch.dtype) -> None:
    x, h0 = normal(0, B, steps, C, dtype=dtype), normal(1, B, N).tanh().to(dtype)
    c0 = 2 * normal(2, B, N, dtype=dtype)
    layer = made(nn.RNN, 0, dtype, batch_first=True)
    w_x, w_h, b_x, b_h = weights(layer, "_l0")
    assert_near(rnn_forward(x, h0, w_x, w_h, b_x + b_h), layer(x, h0[None])[0].detach())
    layer = made(nn.GRU, 0, dtype, batch_first=True)
    assert_near(gru_forward(x, h0, *weights(layer, "_l0")), layer(x, h0[None])[0].detach())
    layer = made(nn.LSTM, 0, dtype, batch_first=True)
    hs, cs = lstm_forward(x, h0, c0, *stacked_lstm(layer, "_l0"))
    expected, (_, last) = layer(x, (h0[None], c0[None]))
    assert_near(hs, expected.detach())
    assert_near(cs[:, -1], last[0].detach())


def test_gradients_of_the_weights_are_those_of_the_layer() -> None:
    x, h0 = normal(0, B, T, C), normal(1, B, N).tanh()
    layer = made(nn.GRU, 0, torch.float64, batch_first=True)
    inputs = [tensor.clone().requires_grad_() for tensor in weights(layer, "_l0")]
    gradient = normal(2, B, T, N)
    ours = torch.autograd.grad(gru_forward(x, h0, *inputs), inputs, gradient)
    theirs = torch.autograd.grad(layer(x, h0[None])[0], list(layer.parameters()), gradient)
    for our, their in zip(ours, theirs, strict=True):
        assert_close(our.T if our.ndim == 2 else our, their)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(3))
def test_jacobian_norms_are_those_of_autograd(seed: int, dtype: torch.dtype) -> None:
    layer = made(nn.RNN, seed, dtype, batch_first=True)
    x, h0 = normal(seed, 1, S, C, dtype=dtype), normal(seed + 1, N).tanh().to(dtype)
    hs = layer(x, h0.reshape(1, 1, N))[0][0].detach()
    w_h = layer.weight_hh_l0.detach().T
    states = torch.cat([h0[None], hs])  # row t is the state after t steps

    def last_state(state: Tensor, step: int) -> Tensor:
        return layer(x[:, step:], state.reshape(1, 1, N))[0][0, -1]

    expected = [
        torch.autograd.functional.jacobian(lambda state, t=t: last_state(state, t), states[t])
        for t in range(S)
    ]
    norms = [torch.linalg.svdvals(jacobian)[0] for jacobian in expected]
    norms.append(torch.ones((), dtype=dtype))
    ours = state_jacobian_norms(w_h, states)
    assert_near(ours, torch.stack(norms))
    assert_near(product_norms(step_jacobians(w_h, states)), torch.stack(norms))
    one_step = torch.autograd.functional.jacobian(
        lambda state: layer(x[:, :1], state.reshape(1, 1, N))[0][0, 0], h0
    )
    assert_near(step_jacobians(w_h, states)[1], one_step)


@pytest.mark.parametrize("dtype", DTYPES)
def test_align_step_is_additive_attention_by_the_tanh_of_a_cell(dtype: torch.dtype) -> None:
    state, encoded = normal(0, B, N, dtype=dtype), normal(1, B, S, N + 1, dtype=dtype)
    w_q, w_k = normal(2, N, D, dtype=dtype), normal(3, N + 1, D, dtype=dtype)
    v, lengths = normal(4, D, dtype=dtype), torch.tensor([S, 2])
    context, weights = align_step(state, encoded, lengths, w_q, w_k, v)
    cell = nn.RNNCell(N + 1, D, bias=False, dtype=dtype)  # tanh(W_ih x + W_hh h)
    with torch.no_grad():
        cell.weight_ih.copy_(w_k.T)
        cell.weight_hh.copy_(torch.eye(D, dtype=dtype))
        for row, length in enumerate(lengths.tolist()):
            read = encoded[row, :length]
            scores = cell(read, (state[row] @ w_q).expand(length, D)) @ v
            expected = F.scaled_dot_product_attention(
                torch.ones(1, 1, dtype=dtype), scores[:, None], read, scale=1.0
            )
            assert_near(context[row], expected[0])
            assert_near(weights[row, :length], scores.softmax(0))
            assert not weights[row, length:].any()


def source_and_target() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    source = torch.randint(2, 9, (3, S), generator=generator)
    source[1, 3:], source[2, 1:] = 0, 0  # padding
    return source, torch.randint(1, 9, (3, T), generator=generator)


@pytest.mark.parametrize("kind", [RecurrentEncoderDecoder, AttentionEncoderDecoder])
def test_encoder_decoders_are_those_made_of_torchs_layers(
    kind: type[RecurrentEncoderDecoder],
) -> None:
    model = kind(9, N)
    draw(model, torch.Generator().manual_seed(0))
    model.double()
    source, target_in = source_and_target()
    encoder = nn.GRU(N, N, batch_first=True).double()
    decoder = nn.GRUCell(model.decoder.w_x.shape[0], N).double()
    with torch.no_grad():
        for theirs, ours in zip(encoder.parameters(), model.encoder.parameters(), strict=True):
            theirs.copy_(ours.T if ours.ndim == 2 else ours)
        for theirs, ours in zip(decoder.parameters(), model.decoder.parameters(), strict=True):
            theirs.copy_(ours.T if ours.ndim == 2 else ours)
    lengths = (source != 0).sum(1)
    packed = nn.utils.rnn.pack_padded_sequence(
        F.embedding(source, model.vectors), lengths, batch_first=True, enforce_sorted=False
    )
    states, last = encoder(packed)
    states, _ = nn.utils.rnn.pad_packed_sequence(states, batch_first=True)  # zeros in the padding
    state, rows = last[0], []
    for t in range(T):
        token, features = F.embedding(target_in[:, t], model.vectors), []
        if isinstance(model, AttentionEncoderDecoder):
            hidden = torch.tanh((state @ model.w_q)[:, None] + states @ model.w_k)
            scores = (hidden * model.v).sum(-1).masked_fill(source == 0, -torch.inf)
            features = [(scores.softmax(-1)[..., None] * states).sum(1)]
        state = decoder(torch.cat([token, *features], -1), state)
        rows.append(F.linear(torch.cat([state, *features], -1), model.w_out.T, model.b_out))
    assert_close(model(source, target_in), torch.stack(rows, 1))


def heard(layers: int, kernel: int) -> list[int]:
    """The distances from which PyTorch's causal convolutions, stacked, hear anything."""
    x = torch.zeros(1, 1, 30, dtype=torch.float64, requires_grad=True)
    y = x
    for _ in range(layers):
        y = F.conv1d(F.pad(y, (kernel - 1, 0)), torch.ones(1, 1, kernel, dtype=torch.float64))
    (gradient,) = torch.autograd.grad(y[0, 0, -1], x)
    return [29 - at for at in range(29) if gradient[0, 0, at] != 0]


@pytest.mark.parametrize("kernel", [2, 3, 5, 8])
def test_a_signal_needs_as_many_convolutions_as_the_path_is_long(kernel: int) -> None:
    for layers in range(1, 5):
        distances = heard(layers, kernel)
        expected = [n for n in range(1, 30) if path_length("conv", 29, 29 - n, kernel) <= layers]
        assert sorted(distances) == expected


def test_a_signal_needs_as_many_steps_of_a_network_as_the_path_is_long() -> None:
    layer = made(nn.RNN, 3, torch.float64)
    x = normal(4, 9, C).requires_grad_()
    (gradient,) = torch.autograd.grad(layer(x)[0][-1].sum(), x)
    steps = [path_length("rnn", t, 8) for t in range(8)]
    assert bool((gradient.abs().amax(-1) > 0).all())
    assert steps == list(range(8, 0, -1))
