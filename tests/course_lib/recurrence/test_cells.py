"""Recurrent cells: equal to their loops, each gate does what its name says, clear errors."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import B, C, normal, seeds, sizes, stacked
from torch import Tensor
from torch.testing import assert_close

from course_lib.naive.recurrence import cells as naive
from course_lib.recurrence import cells as lib

N = 4
DTYPES = (torch.float32, torch.float64)
CELLS = ("rnn_step", "lstm_step", "gru_step")
GATES = {"rnn_step": 1, "lstm_step": 4, "gru_step": 3}


def states(name: str, seed: int, batch: int = B, units: int = N) -> list[Tensor]:
    """The input, then one state (two for the LSTM: its cell is larger than 1)."""
    result = [normal(seed, batch, C), normal(seed + 1, batch, units).tanh()]
    return [*result, 2 * normal(seed + 2, batch, units)] if name == "lstm_step" else result


def weights(name: str, seed: int, inputs: int = C, units: int = N) -> list[Tensor]:
    columns = GATES[name] * units
    bias = normal(seed + 2, columns)
    if name == "lstm_step":
        return [normal(seed, inputs + units, columns) / 2, bias]
    result = [normal(seed, inputs, columns) / 2, normal(seed + 1, units, columns) / 2, bias]
    return [*result, normal(seed + 3, columns)] if name == "gru_step" else result


def call(name: str, *tensors: Tensor) -> list[Tensor]:
    result = getattr(lib, name)(*tensors)
    return list(result) if isinstance(result, tuple) else [result]


def call_twin(name: str, batched: list[Tensor], shared: list[Tensor]) -> list[Tensor]:
    """The twin of each example of the batch, stacked."""
    arrays = [tensor.double().numpy() for tensor in shared]
    rows = []
    for example in zip(*batched, strict=True):
        result = getattr(naive, name)(*(tensor.double().numpy() for tensor in example), *arrays)
        rows.append(result if isinstance(result, tuple) else (result,))
    return [stacked(part) for part in zip(*rows, strict=True)]


# Equal to the twin


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CELLS)
def test_cells_equal_their_loops(name: str, dtype: torch.dtype) -> None:
    batched = [tensor.to(dtype) for tensor in states(name, 0)]
    shared = [tensor.to(dtype) for tensor in weights(name, 10)]
    expected = [tensor.to(dtype) for tensor in call_twin(name, batched, shared)]
    assert_close(call(name, *batched, *shared), expected)


@pytest.mark.parametrize("name", CELLS)
def test_float64_is_not_computed_in_float32(name: str) -> None:
    batched, shared = states(name, 0), weights(name, 10)
    # assert_close's 1e-7 cannot tell the two apart
    expected = call_twin(name, batched, shared)
    assert_close(call(name, *batched, *shared), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", CELLS)
def test_bfloat16_is_as_close_as_its_digits_allow(name: str) -> None:
    batched = [tensor.bfloat16() for tensor in states(name, 0, 64)]
    shared = [tensor.bfloat16() for tensor in weights(name, 10)]
    expected = call(name, *(tensor.double() for tensor in (*batched, *shared)))
    for ours, exact in zip(call(name, *batched, *shared), expected, strict=True):
        assert ours.dtype == torch.bfloat16
        # 8 binary digits. Measured: .0050 (rnn), .0061 (lstm), .0133 (its cell, which is as large
        # as 4), .0068 (gru); mean at most .0021.
        assert (ours.double() - exact).abs().max() < 0.02
        assert (ours.double() - exact).abs().mean() < 0.003


# Laws


@given(seed=seeds, batch=sizes, units=sizes, name=st.sampled_from(CELLS))
def test_examples_of_a_batch_do_not_mix(seed: int, batch: int, units: int, name: str) -> None:
    batched, shared = states(name, seed, batch, units), weights(name, seed + 5, units=units)
    together = call(name, *batched, *shared)
    for row in range(batch):
        alone = call(name, *(tensor[row] for tensor in batched), *shared)
        assert_close(alone, [tensor[row] for tensor in together])


@given(seed=seeds, name=st.sampled_from(CELLS))
def test_units_have_no_order(seed: int, name: str) -> None:
    batched, shared = states(name, seed), weights(name, seed + 5)
    order = torch.randperm(N, generator=torch.Generator().manual_seed(seed))
    columns = torch.cat([gate * N + order for gate in range(GATES[name])])
    moved = [tensor[..., columns] for tensor in shared]
    if name == "lstm_step":
        moved[0] = torch.cat([moved[0][:C], moved[0][C:][order]])
    else:
        moved[1] = moved[1][order]
    permuted = call(name, batched[0], *(tensor[:, order] for tensor in batched[1:]), *moved)
    assert_close(permuted, [tensor[:, order] for tensor in call(name, *batched, *shared)])


@given(seed=seeds)
def test_rnn_states_lie_between_minus_one_and_one(seed: int) -> None:
    assert (
        call("rnn_step", *states("rnn_step", seed), *weights("rnn_step", seed))[0].abs() <= 1
    ).all()


def test_the_state_stands_on_the_left_of_its_weights() -> None:
    h, zeros = torch.tensor([[1.0, 0.0]]), torch.zeros(2)
    w_h = torch.tensor([[0.0, 0.5], [0.0, 0.0]])  # old unit 0 -> new unit 1
    new = lib.rnn_step(torch.zeros(1, 1), h, torch.zeros(1, 2), w_h, zeros)
    assert_close(new, torch.tensor([[0.0, 0.5]]).tanh())


def gates(seed: int, **open_or_shut: float) -> list[Tensor]:
    """LSTM weights whose named gates are held by a bias that no input can move."""
    w, b = weights("lstm_step", seed)
    for gate, level in open_or_shut.items():
        columns = slice("ifgo".index(gate) * N, ("ifgo".index(gate) + 1) * N)
        w[:, columns], b[columns] = 0.0, level
    return [w, b]


@given(seed=seeds)
def test_an_lstm_with_open_forget_gate_and_shut_input_keeps_its_cell(seed: int) -> None:
    x, h, c = states("lstm_step", seed)
    new_h, new_c = lib.lstm_step(x, h, c, *gates(seed, f=100.0, i=-100.0))
    assert_close(new_c, c, rtol=1e-15, atol=1e-15)
    assert (new_h.abs() < c.tanh().abs()).all()  # the output gate shows a part
    shown, _ = lib.lstm_step(x, h, c, *gates(seed, f=100.0, i=-100.0, o=100.0))
    assert_close(shown, c.tanh())


@given(seed=seeds)
def test_an_lstm_with_shut_forget_gate_and_open_input_writes_anew(seed: int) -> None:
    x, h, c = states("lstm_step", seed)
    held = gates(seed, f=-100.0, i=100.0)
    _, new_c = lib.lstm_step(x, h, c, *held)
    new = (torch.cat([x, h], -1) @ held[0] + held[1])[:, 2 * N : 3 * N]
    assert_close(new_c, new.tanh())
    nothing, _ = lib.lstm_step(x, h, c, *gates(seed, o=-100.0))
    assert_close(nothing, torch.zeros_like(h))


def gru_gates(seed: int, **open_or_shut: float) -> list[Tensor]:
    held = weights("gru_step", seed)
    for gate, level in open_or_shut.items():
        columns = slice("rz".index(gate) * N, ("rz".index(gate) + 1) * N)
        for tensor in held:
            tensor[..., columns] = 0.0
        held[2][columns] = level
    return held


@given(seed=seeds)
def test_a_gru_keeps_or_replaces_its_state(seed: int) -> None:
    x, h = states("gru_step", seed)
    assert_close(lib.gru_step(x, h, *gru_gates(seed, z=100.0)), h)
    w_x, w_h, b_x, b_h = held = gru_gates(seed, z=-100.0, r=100.0)
    part = slice(2 * N, 3 * N)
    from_x, from_h = x @ w_x[:, part] + b_x[part], h @ w_h[:, part] + b_h[part]
    assert_close(lib.gru_step(x, h, *held), (from_x + from_h).tanh())
    # Reset after the product: a shut reset hides b_h as well. Before it, b_h would remain.
    assert_close(lib.gru_step(x, h, *gru_gates(seed, z=-100.0, r=-100.0)), from_x.tanh())


@given(seed=seeds)
def test_a_gru_state_lies_between_the_old_one_and_the_new_value(seed: int) -> None:
    x, h = states("gru_step", seed)
    held = weights("gru_step", seed)
    value = lib.gru_step(x, h, *replaced(held, -100.0))
    new = lib.gru_step(x, h, *held)
    slack = 1e-12
    assert (new <= torch.maximum(h, value) + slack).all()
    assert (new >= torch.minimum(h, value) - slack).all()


def replaced(held: list[Tensor], level: float) -> list[Tensor]:
    copies = [tensor.clone() for tensor in held]
    for tensor in copies:
        tensor[..., N : 2 * N] = 0.0
    copies[2][N : 2 * N] = level
    return copies


# Extreme values


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CELLS)
def test_huge_inputs_saturate(name: str, dtype: torch.dtype) -> None:
    batched = [tensor.to(dtype) for tensor in states(name, 0)]
    batched[0] = 1e4 * batched[0]
    shared = [tensor.to(dtype) for tensor in weights(name, 10)]
    inputs = [tensor.requires_grad_() for tensor in (*batched, *shared)]
    results = call(name, *inputs)
    expected = call_twin(name, [t.detach() for t in batched], [t.detach() for t in shared])
    assert_close(results, [tensor.to(dtype) for tensor in expected])
    for gradient in torch.autograd.grad(sum(result.sum() for result in results), inputs):
        assert gradient.isfinite().all()


@pytest.mark.parametrize("name", CELLS)
def test_no_input_is_modified(name: str) -> None:
    tensors = [*states(name, 0), *weights(name, 10)]
    before = [tensor.clone() for tensor in tensors]
    call(name, *tensors)
    for tensor, copy in zip(tensors, before, strict=True):
        assert torch.equal(tensor, copy)


# Gradients


@pytest.mark.parametrize("name", CELLS)
def test_gradient(name: str) -> None:
    batched = [tensor[:1, :2] for tensor in states(name, 0)]
    tensors = [*batched, *weights(name, 10, inputs=2, units=2)]
    inputs = tuple(tensor.clone().requires_grad_() for tensor in tensors)
    with torch.autograd.set_detect_anomaly(True):
        assert torch.autograd.gradcheck(getattr(lib, name), inputs)
        assert torch.autograd.gradgradcheck(getattr(lib, name), inputs, fast_mode=True)


# Errors


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize(
    ("function", "shapes", "message"),
    [
        (
            lib.rnn_step,
            [(2, 11), (3, 4), (11, 4), (4, 4), (4,)],
            r"leading axes agree; x has \(2,\) and h \(3,\); shapes \(2, 11\) and \(3, 4\)",
        ),
        (
            lib.rnn_step,
            [(2, 11), (2, 4), (10, 4), (4, 4), (4,)],
            r"x has 11 and w_x 10; shapes \(2, 11\) and \(10, 4\)",
        ),
        (
            lib.rnn_step,
            [(2, 11), (2, 4), (11, 4), (5, 4), (4,)],
            r"h has 4 and w_h 5; shapes \(2, 4\) and \(5, 4\)",
        ),
        (
            lib.rnn_step,
            [(2, 11), (2, 4), (11, 4), (4, 5), (4,)],
            r"w_h has one column for each .* N is 4, so 4 columns, and w_h has 5; shapes \(2, 4\)",
        ),
        (
            lib.rnn_step,
            [(2, 11), (2, 4), (11, 4), (4, 4), (1,)],
            r"N is 4, so 4 columns, and b has 1; shapes \(2, 4\) and \(1,\)",
        ),
        (
            lib.lstm_step,
            [(2, 11), (2, 4), (2, 3), (15, 16), (16,)],
            r"h has 8 entries and c 6; shapes \(2, 4\) and \(2, 3\)",
        ),
        (
            lib.lstm_step,
            [(2, 11), (2, 4), (2, 4), (14, 16), (16,)],
            r"C \+ N = 11 \+ 4 = 15 and w has 14 rows; shapes \(2, 11\), \(2, 4\) and \(14, 16\)",
        ),
        (
            lib.lstm_step,
            [(3, 11), (2, 4), (2, 4), (15, 16), (16,)],
            r"x has \(3,\) and h \(2,\); shapes \(3, 11\) and \(2, 4\)",
        ),
        (
            lib.lstm_step,
            [(2, 11), (2, 4), (2, 4), (15, 12), (16,)],
            r"w has 4 columns, one a gate, .* N is 4, so 16 columns, and w has 12",
        ),
        (
            lib.gru_step,
            [(2, 11), (2, 4), (11, 12), (4, 12), (12,), (4,)],
            r"b_h has 3 columns, .* N is 4, so 12 columns, and b_h has 4; shapes \(2, 4\)",
        ),
        (
            lib.gru_step,
            [(2, 11), (2, 4), (11, 16), (4, 12), (12,), (12,)],
            r"so 12 columns, and w_x has 16; shapes \(2, 4\) and \(11, 16\)",
        ),
    ],
)
def test_refusals_name_both_sizes(
    function: Callable[..., object], shapes: list[tuple[int, ...]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        function(*(torch.zeros(shape) for shape in shapes))
