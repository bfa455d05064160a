"""Recurrent sequences: their loops, the step again and again, the first state, no look ahead."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import B, C, T, normal, seeds, sizes, stacked
from torch import Tensor
from torch.testing import assert_close

from course_lib.naive.recurrence import sequences as naive
from course_lib.recurrence import sequences as lib
from course_lib.recurrence.cells import gru_step, lstm_step, rnn_step

N = 4
DTYPES = (torch.float32, torch.float64)
STEPS = {"rnn_forward": rnn_step, "lstm_forward": lstm_step, "gru_forward": gru_step}
TWINS = {
    "rnn_forward": naive.rnn_forward,
    "lstm_forward": naive.lstm_forward,
    "gru_forward": naive.gru_forward,
}
NAMES = tuple(STEPS)


def start(name: str, seed: int, batch: int = B, units: int = N) -> list[Tensor]:
    """The first state; for the LSTM the first cell as well."""
    result = [normal(seed, batch, units).tanh(), 2 * normal(seed + 1, batch, units)]
    return result if name == "lstm_forward" else result[:1]


def weights(name: str, seed: int, inputs: int = C, units: int = N) -> list[Tensor]:
    columns = {"rnn_forward": 1, "lstm_forward": 4, "gru_forward": 3}[name] * units
    bias = normal(seed + 2, columns)
    if name == "lstm_forward":
        return [normal(seed, inputs + units, columns) / 2, bias]
    result = [normal(seed, inputs, columns) / 2, normal(seed + 1, units, columns) / 2, bias]
    return [*result, normal(seed + 3, columns)] if name == "gru_forward" else result


def call(name: str, x: Tensor, *tensors: Tensor) -> list[Tensor]:
    result = getattr(lib, name)(x, *tensors)
    return list(result) if isinstance(result, tuple) else [result]


def call_twin(name: str, batched: list[Tensor], shared: list[Tensor]) -> list[Tensor]:
    arrays = [tensor.double().numpy() for tensor in shared]
    rows = []
    for example in zip(*batched, strict=True):
        result = TWINS[name](*(tensor.double().numpy() for tensor in example), *arrays)
        rows.append(result if isinstance(result, tuple) else (result,))
    return [stacked(part) for part in zip(*rows, strict=True)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("steps", [T, 1])
@pytest.mark.parametrize("name", NAMES)
def test_sequences_equal_their_loops(name: str, steps: int, dtype: torch.dtype) -> None:
    batched = [tensor.to(dtype) for tensor in (normal(0, B, steps, C), *start(name, 1))]
    shared = [tensor.to(dtype) for tensor in weights(name, 10)]
    expected = [tensor.to(dtype) for tensor in call_twin(name, batched, shared)]
    assert_close(call(name, *batched, *shared), expected)


@pytest.mark.parametrize("name", NAMES)
def test_float64_is_not_computed_in_float32(name: str) -> None:
    batched, shared = [normal(0, B, T, C), *start(name, 1)], weights(name, 10)
    expected = call_twin(name, batched, shared)
    assert_close(call(name, *batched, *shared), expected, rtol=1e-12, atol=1e-14)


@given(seed=seeds, steps=sizes, name=st.sampled_from(NAMES))
def test_a_sequence_is_the_step_again_and_again(seed: int, steps: int, name: str) -> None:
    x, first, shared = normal(seed, B, steps, C), start(name, seed + 1), weights(name, seed + 5)
    results = call(name, x, *first, *shared)
    carried = first
    for t in range(steps):
        stepped = STEPS[name](x[:, t], *carried, *shared)
        carried = list(stepped) if isinstance(stepped, tuple) else [stepped]
        for result, state in zip(results, carried, strict=True):
            assert torch.equal(result[:, t], state)


@given(seed=seeds, before=sizes, after=sizes, name=st.sampled_from(NAMES))
def test_a_sequence_may_be_read_in_two_parts(seed: int, before: int, after: int, name: str) -> None:
    x, first = normal(seed, B, before + after, C), start(name, seed + 1)
    shared = weights(name, seed + 5)
    whole = call(name, x, *first, *shared)
    part = call(name, x[:, :before], *first, *shared)
    rest = call(name, x[:, before:], *(state[:, -1] for state in part), *shared)
    joined = [torch.cat(pair, dim=1) for pair in zip(part, rest, strict=True)]
    assert_close(joined, whole)


@pytest.mark.parametrize("name", NAMES)
def test_every_state_depends_on_the_first_one(name: str) -> None:
    x, first, shared = normal(0, B, T, C), start(name, 1), weights(name, 10)
    whole = call(name, x, *first, *shared)
    for index in range(len(first)):
        changed = list(first)
        changed[index] = changed[index] + 0.5
        for result, other in zip(whole, call(name, x, *changed, *shared), strict=True):
            assert ((result - other).abs().amax(-1) > 1e-3).all()


@given(seed=seeds, name=st.sampled_from(NAMES), step=st.integers(0, T - 1))
def test_no_state_looks_ahead(seed: int, name: str, step: int) -> None:
    x, first, shared = normal(seed, B, T, C), start(name, seed + 1), weights(name, seed + 5)
    changed = x.clone()
    changed[:, step] += 1.0
    pairs = zip(call(name, x, *first, *shared), call(name, changed, *first, *shared), strict=True)
    for result, other in pairs:
        assert torch.equal(result[:, :step], other[:, :step])
        assert (result[:, step] != other[:, step]).any()


@given(seed=seeds, batch=sizes, name=st.sampled_from(NAMES))
def test_examples_of_a_batch_do_not_mix(seed: int, batch: int, name: str) -> None:
    x, first = normal(seed, batch, T, C), start(name, seed + 1, batch)
    shared = weights(name, seed + 5)
    together = call(name, x, *first, *shared)
    for row in range(batch):
        alone = call(name, x[row], *(state[row] for state in first), *shared)
        assert_close(alone, [tensor[row] for tensor in together])


@pytest.mark.parametrize("name", NAMES)
def test_no_input_is_modified_and_no_state_is_a_view_of_another(name: str) -> None:
    tensors = [normal(0, B, T, C), *start(name, 1), *weights(name, 10)]
    before = [tensor.clone() for tensor in tensors]
    for result in call(name, *tensors):
        copy = result.clone()
        result[:, 0] = 7.0
        assert torch.equal(result[:, 1:], copy[:, 1:])
    for tensor, copy in zip(tensors, before, strict=True):
        assert torch.equal(tensor, copy)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, *DTYPES])
@pytest.mark.parametrize("name", NAMES)
def test_the_dtype_follows_the_inputs(name: str, dtype: torch.dtype) -> None:
    tensors = [1e4 * normal(0, B, T, C), *start(name, 1), *weights(name, 10)]
    for result in call(name, *(tensor.to(dtype) for tensor in tensors)):
        assert result.dtype == dtype
        assert result.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_gradient(name: str) -> None:
    tensors = [normal(0, 1, 3, 2), *start(name, 1, 1, 2), *weights(name, 10, 2, 2)]
    inputs = tuple(tensor.requires_grad_() for tensor in tensors)
    with torch.autograd.set_detect_anomaly(True):
        assert torch.autograd.gradcheck(getattr(lib, name), inputs)


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize("name", NAMES)
def test_a_sequence_without_a_step_is_refused(name: str) -> None:
    tensors = [normal(0, B, 0, C), *start(name, 1), *weights(name, 10)]
    with pytest.raises(ValueError, match=r"at least one step; x has T = 0; shape \(2, 0, 11\)"):
        getattr(lib, name)(*tensors)


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize("name", NAMES)
def test_a_first_state_of_another_batch_is_refused(name: str) -> None:
    tensors = [normal(0, B, T, C), *start(name, 1, 3), *weights(name, 10)]
    with pytest.raises(ValueError, match=r"x has \(2,\) and h \(3,\); shapes \(2, 11\)"):
        getattr(lib, name)(*tensors)
