"""Encoder-decoder: the look at the source, padding, decoding, and what one vector cannot hold."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import B, D, S, T, normal, permutation, seeds, sizes
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close

from course_lib.naive.recurrence import seq2seq_attention as naive
from course_lib.recurrence.seq2seq import Encoded, RecurrentEncoderDecoder, draw
from course_lib.recurrence.seq2seq_attention import AttentionEncoderDecoder, align_step

N, V, START = 4, 9, 1
DTYPES = (torch.float32, torch.float64)
KINDS = (RecurrentEncoderDecoder, AttentionEncoderDecoder)
#: A whole model runs in each example.
FEW = settings(max_examples=25)


def parameters(seed: int) -> list[Tensor]:
    """w_q, w_k and v for an encoder's states of N + 2 entries."""
    return [normal(seed, N, D), normal(seed + 1, N + 2, D), normal(seed + 2, D)]


def model_of(
    kind: type[RecurrentEncoderDecoder], seed: int = 0, num_units: int = N
) -> RecurrentEncoderDecoder:
    model = kind(V, num_units)
    draw(model, torch.Generator().manual_seed(seed))
    return model.double()


def ids(seed: int, *shape: int) -> Tensor:
    """Tokens; 0 is padding and 1 the start."""
    return torch.randint(2, V, shape, generator=torch.Generator().manual_seed(seed))


# align_step


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("lengths", [(S, 2), (0, 1)])
def test_align_step_equals_its_loops(lengths: tuple[int, ...], dtype: torch.dtype) -> None:
    state, encoded = normal(0, B, N, dtype=dtype), normal(1, B, S, N + 2, dtype=dtype)
    shared = [tensor.to(dtype) for tensor in parameters(2)]
    context, weights = align_step(state, encoded, torch.tensor(lengths), *shared)
    for row, length in enumerate(lengths):
        example = [tensor[row].double().numpy() for tensor in (state, encoded)]
        twin = naive.align_step(*example, length, *(tensor.double().numpy() for tensor in shared))
        assert_close(context[row], torch.from_numpy(twin[0]).to(dtype))
        assert_close(weights[row], torch.from_numpy(twin[1]).to(dtype))


def test_float64_is_not_computed_in_float32() -> None:
    state, encoded, shared = normal(0, 1, N), normal(1, 1, S, N + 2), parameters(2)
    arrays = (state[0].numpy(), encoded[0].numpy(), S, *(tensor.numpy() for tensor in shared))
    results = align_step(state, encoded, torch.tensor([S]), *shared)
    for ours, expected in zip(results, naive.align_step(*arrays), strict=True):
        # assert_close's 1e-7 cannot tell the two apart
        assert_close(ours[0], torch.from_numpy(expected), rtol=1e-12, atol=1e-14)


def test_bfloat16_is_as_close_as_its_digits_allow() -> None:
    tensors = [normal(0, 64, N), normal(1, 64, S, N + 2), *parameters(2)]
    state, encoded, *shared = (tensor.bfloat16() for tensor in tensors)
    lengths = torch.arange(64) % (S + 1)
    context, weights = align_step(state, encoded, lengths, *shared)
    assert context.dtype == weights.dtype == torch.bfloat16
    doubles = (tensor.double() for tensor in shared)
    exact = align_step(state.double(), encoded.double(), lengths, *doubles)
    # 8 binary digits of scores as large as 5 and of states as large as 3: measured .014 and .005.
    assert (context.double() - exact[0]).abs().max() < 0.03
    assert (weights.double() - exact[1]).abs().max() < 0.01


@given(seed=seeds, length=st.integers(0, S))
def test_padding_has_no_influence_and_the_rest_sums_to_one(seed: int, length: int) -> None:
    state, encoded, shared = normal(seed, 1, N), normal(seed + 1, 1, S, N + 2), parameters(seed)
    lengths = torch.tensor([length])
    context, weights = align_step(state, encoded, lengths, *shared)
    changed = encoded.clone()
    changed[:, length:] = 1e6
    assert torch.equal(align_step(state, changed, lengths, *shared)[0], context)
    assert_close(weights.sum(-1), torch.tensor([1.0 if length else 0.0]).double())
    assert (weights[:, :length] > 0).all()
    assert not weights[:, length:].any()
    if length == 0:
        assert not context.any()


@given(seed=seeds)
def test_the_order_of_the_encoders_states_does_not_matter(seed: int) -> None:
    state, encoded, shared = normal(seed, B, N), normal(seed + 1, B, S, N + 2), parameters(seed)
    order, lengths = permutation(seed, S), torch.full((B,), S)
    context, weights = align_step(state, encoded, lengths, *shared)
    moved = align_step(state, encoded[:, order], lengths, *shared)
    assert_close(moved, (context, weights[:, order]))


@given(seed=seeds)
def test_a_context_lies_between_the_states_that_are_read(seed: int) -> None:
    state, encoded, shared = normal(seed, B, N), normal(seed + 1, B, S, N + 2), parameters(seed)
    context, _ = align_step(1e4 * state, encoded, torch.full((B,), S), *shared)
    assert (context <= encoded.amax(1) + 1e-12).all()
    assert (context >= encoded.amin(1) - 1e-12).all()


def test_gradient() -> None:
    tensors = [normal(0, 2, 2), normal(1, 2, 3, 2), normal(2, 2, 2), normal(3, 2, 2), normal(4, 2)]
    state, encoded, *shared = (tensor.requires_grad_() for tensor in tensors)
    lengths = torch.tensor([0, 2])  # nothing to read, and one state of padding

    def aligned(state: Tensor, encoded: Tensor, *shared: Tensor) -> tuple[Tensor, Tensor]:
        return align_step(state, encoded, lengths, *shared)

    with torch.autograd.set_detect_anomaly(True):
        assert torch.autograd.gradcheck(aligned, (state, encoded, *shared))


@pytest.mark.usefixtures("without_annotations")
def test_align_step_refuses_what_does_not_fit() -> None:
    state, encoded, shared = torch.zeros(B, N), torch.zeros(B, S, N + 2), parameters(0)
    floats = [tensor.float() for tensor in shared]
    with pytest.raises(ValueError, match="num_keys = 5 positions; lengths has 6"):
        align_step(state, encoded, torch.tensor([2, 6]), *floats)
    with pytest.raises(ValueError, match=r"key has 6 and w_k 4; shapes \(2, 5, 6\) and \(4, 7\)"):
        align_step(state, encoded, torch.tensor([2, 5]), floats[0], floats[0], floats[2])


# The two models


@pytest.mark.parametrize("kind", KINDS)
def test_padding_behind_a_source_changes_nothing(kind: type[RecurrentEncoderDecoder]) -> None:
    model, source, target_in = model_of(kind), ids(0, B, S), ids(1, B, T)
    padded = torch.cat([source, torch.zeros(B, 3, dtype=torch.long)], dim=1)
    assert_close(model(padded, target_in), model(source, target_in))
    shorter = padded.clone()
    shorter[1, 2:] = 0
    alone = model(source[1:, :2], target_in[1:])
    assert_close(model(shorter, target_in)[1:], alone)


@pytest.mark.parametrize("kind", KINDS)
def test_a_source_of_no_tokens_starts_from_zeros(kind: type[RecurrentEncoderDecoder]) -> None:
    model = model_of(kind)
    source = torch.zeros(1, S, dtype=torch.long)
    encoded = model.encode(source)
    assert not encoded.last.any()
    assert encoded.lengths.tolist() == [0]
    with torch.autograd.set_detect_anomaly(True):
        model(source, ids(1, 1, T)).sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("kind", KINDS)
@given(seed=seeds, step=st.integers(0, T - 1))
@FEW
def test_no_logit_sees_a_later_target(
    kind: type[RecurrentEncoderDecoder], seed: int, step: int
) -> None:
    model, source, target_in = model_of(kind), ids(seed, B, S), ids(seed + 1, B, T)
    changed = target_in.clone()
    changed[:, step] = 1 + changed[:, step] % (V - 1)
    before, after = model(source, target_in), model(source, changed)
    assert torch.equal(before[:, :step], after[:, :step])
    assert (before[:, step] != after[:, step]).any()


@pytest.mark.parametrize("kind", KINDS)
@given(seed=seeds, batch=sizes)
@FEW
def test_examples_of_a_batch_do_not_mix(
    kind: type[RecurrentEncoderDecoder], seed: int, batch: int
) -> None:
    model, source, target_in = model_of(kind), ids(seed, batch, S), ids(seed + 1, batch, T)
    logits = model(source, target_in)
    assert logits.shape == (batch, T, V)
    for row in range(batch):
        assert_close(model(source[row, None], target_in[row, None])[0], logits[row])


@pytest.mark.parametrize("kind", KINDS)
@given(seed=seeds, num_tokens=sizes)
@FEW
def test_decoding_writes_what_teacher_forcing_would(
    kind: type[RecurrentEncoderDecoder], seed: int, num_tokens: int
) -> None:
    model, source = model_of(kind, seed), ids(seed, B, S)
    written = model.decode(source, START, num_tokens)
    assert written.shape == (B, num_tokens)
    target_in = torch.cat([torch.full((B, 1), START), written[:, :-1]], dim=1)
    assert torch.equal(model(source, target_in).argmax(-1), written)


def test_without_attention_only_the_last_state_reaches_the_decoder() -> None:
    model, source, target_in = model_of(RecurrentEncoderDecoder), ids(0, B, S), ids(1, B, T)
    encoded = model.encode(source)
    blank = Encoded(states=0 * encoded.states, last=encoded.last, lengths=encoded.lengths)
    token = model.vectors[target_in[:, 0]]
    assert_close(model.step(token, encoded.last, blank), model.step(token, encoded.last, encoded))
    model = model_of(AttentionEncoderDecoder)
    _, logits = model.step(token, encoded.last, encoded)
    assert not torch.allclose(model.step(token, encoded.last, blank)[1], logits)


def test_the_weights_of_the_alignment_come_from_the_state_before_the_step() -> None:
    model, source = model_of(AttentionEncoderDecoder), ids(0, B, S)
    encoded, token = model.encode(source), normal(1, B, N)
    context, weights = model.align(encoded.last, encoded)
    assert weights.shape == (B, S)
    state = model.decoder.step(torch.cat([token, context], dim=-1), encoded.last)
    assert_close(model.step(token, encoded.last, encoded)[0], state)


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_learns(kind: type[RecurrentEncoderDecoder]) -> None:
    model = model_of(kind)
    model(ids(0, B, S), ids(1, B, T)).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize("kind", KINDS)
def test_models_refuse_what_they_cannot_read(kind: type[RecurrentEncoderDecoder]) -> None:
    model, source, target_in = model_of(kind), ids(0, 3, S), ids(1, 3, T)
    message = r"3 sources and 2 targets; shapes \(3, 5\) and \(2, 3\)"
    with pytest.raises(ValueError, match=message):
        model(source, target_in[:2])
    with pytest.raises(ValueError, match=r"num_tokens is 0; shape of source \(3, 5\)"):
        model.decode(source, START, 0)
    with pytest.raises(ValueError, match=r"target_in has T=0 tokens; shape \(3, 0\)"):
        model(source, target_in[:, :0])
    with pytest.raises(ValueError, match=r"x has T = 0; shape \(3, 0, 4\)"):
        model(source[:, :0], target_in)
    with pytest.raises(ValueError, match=r"target_in has the axes B T, .* has 1; shape \(3,\)"):
        model(source, target_in[:, 0])
    with pytest.raises(ValueError, match=r"source has the axes B S, .* has 1; shape \(5,\)"):
        model.decode(source[0], START, 2)
    source[1, 2] = 0
    with pytest.raises(ValueError, match=r"id 0\) .* 1 of 3 sources .* shape \(3, 5\)"):
        model(source, target_in)


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrong", [-1, V])
def test_ids_outside_the_vocabulary_are_refused(
    kind: type[RecurrentEncoderDecoder], wrong: int
) -> None:
    model, right, bad = model_of(kind), torch.full((2, T), 3), torch.full((2, T), 3)
    bad[1, 2] = wrong
    low, high = min(wrong, 3), max(wrong, 3)
    message = rf"V is 9 and ids go from {low} to {high}; shapes \(2, 3\) and \(9, 4\)"
    for pair in ((bad, right), (right, bad)):
        with pytest.raises(ValueError, match=message):
            model(*pair)
    message = rf"V is 9 and ids go from {wrong} to {wrong}; shapes \(2,\) and \(9, 4\)"
    with pytest.raises(ValueError, match=message):
        model.decode(right, wrong, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_nobody_drew_refuses_to_run(kind: type[RecurrentEncoderDecoder]) -> None:
    message = r"vectors has 36 numbers and 36 are 0; shape \(9, 4\)"
    with pytest.raises(ValueError, match=message):
        kind(V, N)(ids(0, B, S), ids(1, B, T))
    with pytest.raises(ValueError, match=message):
        kind(V, N).decode(ids(0, B, S), START, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_the_generator_decides_all_weights(kind: type[RecurrentEncoderDecoder]) -> None:
    units = 400
    global_state = torch.get_rng_state()
    same, again, other = (model_of(kind, seed, units) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), global_state)
    bound = 1 / units**0.5
    for name, weight in same.named_parameters():
        assert torch.equal(weight, again.get_parameter(name)), name
        assert not torch.equal(weight, other.get_parameter(name)), name
        # Means and deviations are those of N(0, 1) and of U(-1/√N, 1/√N), within five of their
        # standard errors, which are about σ / √n.
        spread = 1.0 if name == "vectors" else bound / 3**0.5
        error = 5 / weight.numel() ** 0.5
        if name != "b_out":  # V numbers are too few
            assert abs(weight.mean().item()) < error * spread, name
            assert abs(weight.std().item() / spread - 1) < error, name
        if name != "vectors":
            assert weight.abs().max() <= bound, name


# What one vector cannot hold

LENGTH, TOKENS, UNITS, UPDATES, LEARNING_RATE = 13, 26, 40, 300, 6e-3


def copy_batch(size: int, length: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Sources of random tokens, and the same behind a start token: to be copied."""
    source = torch.randint(2, TOKENS, (size, length), generator=generator)
    return source, F.pad(source[:, :-1], (1, 0), value=START)


def trained_to_copy(kind: type[RecurrentEncoderDecoder]) -> RecurrentEncoderDecoder:
    """Adam; the length grows to its end over the first half, the rate falls in the last third."""
    generator = torch.Generator().manual_seed(0)
    model = kind(TOKENS, UNITS)
    draw(model, generator)
    optimiser = torch.optim.Adam(model.parameters(), LEARNING_RATE)
    for update in range(UPDATES):
        length = max(3, min(LENGTH, round(2 * LENGTH * (update + 1) / UPDATES)))
        for group in optimiser.param_groups:
            group["lr"] = LEARNING_RATE * min(1.0, 3 * (UPDATES - update) / UPDATES)
        source, target_in = copy_batch(32, length, generator)
        loss = F.cross_entropy(model(source, target_in).flatten(0, 1), source.flatten())
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    return model


def readings(model: AttentionEncoderDecoder, source: Tensor, target_in: Tensor) -> Tensor:
    """The source position with the largest weight at each target position."""
    encoded = model.encode(source)
    state, found = encoded.last, []
    for token in model.vectors[target_in].unbind(1):
        found.append(model.align(state, encoded)[1].argmax(-1))
        state, _ = model.step(token, state, encoded)
    return torch.stack(found, dim=1)


@pytest.mark.usefixtures("without_annotations")
@torch.no_grad()
def test_one_vector_cannot_hold_what_attention_looks_up() -> None:
    # Measured over three seeds: told the tokens before, .97 to .98 with attention and .40 to .45
    # without; greedy .91 to .94 and .16 to .19. Guessing gives 1 / 24 = .04.
    source, target_in = copy_batch(200, LENGTH, torch.Generator().manual_seed(1))
    with torch.enable_grad():
        models = [trained_to_copy(kind) for kind in KINDS]
    forced = [model(source, target_in).argmax(-1) for model in models]
    greedy = [model.decode(source, START, LENGTH) for model in models]
    without, with_attention = [(ids == source).double().mean() for ids in forced]
    assert without < 0.50
    assert with_attention > 0.95
    without, with_attention = [(ids == source).double().mean() for ids in greedy]
    assert without < 0.30
    assert with_attention > 0.90
    # The alignment that nobody taught: to write token t it reads position t (measured .81 to .85).
    on_diagonal = readings(models[1], source, target_in) == torch.arange(LENGTH)
    assert on_diagonal.double().mean() > 0.75
