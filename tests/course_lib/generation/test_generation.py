"""From logits to tokens: equal to the loops, lawful, and the same with and without a cache."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import B, T, normal, permutation, seeds, stacked
from torch import Tensor
from torch.testing import assert_close

from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.attention_parts import Everything, Window
from course_lib.config.decoder import DecoderConfig, LayerConfig, LearnedPositions, Unembedding
from course_lib.config.feed_forward import GatedFeedForwardConfig
from course_lib.config.norms import RMSNormConfig
from course_lib.config.rope import NoRope, RopeConfig
from course_lib.generation.choice import greedy, pick, sample, sampler
from course_lib.generation.logits import temperature_logits, top_k_logits, top_p_logits
from course_lib.generation.writing import (
    continue_ids,
    continue_ids_without_cache,
    continue_until,
    generate,
)
from course_lib.layers.activations import silu
from course_lib.model.decoder import Decoder
from course_lib.model.initialise import initialise
from course_lib.naive.generation import choice as naive_choice
from course_lib.naive.generation import logits as naive_logits

INF = math.inf
V, CONTEXT, WINDOW = 13, 11, 4
DTYPES = (torch.float32, torch.float64, torch.bfloat16)


def logits_with_ties(seed: int, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Whole numbers from -3 to 3, and a few minus infinities: many are equal."""
    logits = (1.5 * normal(seed, *shape)).round().clamp(-3, 3)
    logits[..., -2] = -INF
    return logits.to(dtype)


def rows(tensor: Tensor) -> list:
    return list(tensor.double().flatten(0, -2).numpy())


def make_decoder(seed: int = 0, *, window: int | None = None, is_learned: bool = False) -> Decoder:
    rope = NoRope() if is_learned else RopeConfig(base=100.0, rotary_dim=6)
    reach = Everything() if window is None else Window(size=window)
    attention = CausalAttentionConfig(
        num_heads=4, num_kv_heads=2, head_dim=6, rope=rope, reach=reach
    )
    layer = LayerConfig(
        attention=attention,
        feed_forward=GatedFeedForwardConfig(d_ff=17, activation=silu),
        norm=RMSNormConfig(eps=1e-5),
    )
    full = replace(layer, attention=replace(attention, reach=Everything()))
    config = DecoderConfig(
        vocab_size=V,
        d_model=10,
        context_length=CONTEXT,
        layers=(layer, full, layer),
        final_norm=layer.norm,
        unembedding=Unembedding.OWN,
        embedding_steps=(LearnedPositions(),) if is_learned else (),
    )
    model = Decoder(config).double()
    initialise(model, torch.Generator().manual_seed(seed), std=0.7)
    return model


def prompt(seed: int = 3, length: int = T) -> Tensor:
    return torch.randint(V, (B, length), generator=torch.Generator().manual_seed(seed))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# Equal to the twins


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(5))
def test_choices_equal_their_loops(seed: int, dtype: torch.dtype) -> None:
    for logits in (logits_with_ties(seed, B, T, V, dtype=dtype), normal(seed, B, T, V).to(dtype)):
        twin = torch.tensor([naive_choice.greedy(row) for row in rows(logits)]).view(B, T)
        assert_close(greedy(logits), twin)
        for k in (1, 2, 5, V):
            twin = stacked(naive_logits.top_k_logits(row, k) for row in rows(logits)).view(B, T, V)
            assert_close(top_k_logits(logits, k), twin.to(dtype), rtol=0, atol=0)
        for p in (0.01, 0.37, 0.61, 0.9, 1.0):
            twin = stacked(naive_logits.top_p_logits(row, p) for row in rows(logits)).view(B, T, V)
            assert_close(top_p_logits(logits, p), twin.to(dtype), rtol=0, atol=0)
        for temperature in (0.3, 1.0, 2.5):
            twin = stacked(
                naive_logits.temperature_logits(row, temperature) for row in rows(logits)
            )
            ours = temperature_logits(logits, temperature)
            assert_close(ours, twin.view(B, T, V).to(dtype))
        points = torch.rand(B, T, generator=generator(seed), dtype=torch.float64)
        flat = zip(rows(logits), points.flatten().tolist(), strict=True)
        twin = torch.tensor([naive_choice.pick(row, point) for row, point in flat]).view(B, T)
        assert_close(pick(logits, points), twin)


class Points(np.random.Generator):
    """A generator of NumPy's that draws what PyTorch's draws."""

    def __init__(self, seed: int) -> None:
        super().__init__(np.random.PCG64(seed))
        self.source = generator(seed)

    def random(self) -> float:
        return torch.rand((), generator=self.source, dtype=torch.float64).item()


def test_sample_draws_what_its_twin_draws() -> None:
    logits, source = normal(0, B, T, V), generator(5)
    twin_source = Points(5)
    for row in logits.flatten(0, 1):
        twin = naive_choice.sample(row.numpy(), twin_source)
        assert sample(row, source).item() == twin
    # A batch draws one number a row, each row for itself.
    points = torch.rand(B, T, generator=generator(5), dtype=torch.float64)
    assert_close(sample(logits, generator(5)), pick(logits, points))
    alike = sample(torch.zeros(50, V), generator(5))
    assert len(set(alike.tolist())) > 5


# Laws


@given(seed=seeds, k=st.integers(1, V))
def test_top_k_keeps_exactly_k(seed: int, k: int) -> None:
    logits = (1.5 * normal(seed, B, V)).round()  # ties, but no minus infinity
    kept = top_k_logits(logits, k)
    is_kept = kept > -INF
    assert (is_kept.sum(-1) == k).all()
    assert_close(kept[is_kept], logits[is_kept], rtol=0, atol=0)
    smallest = kept.masked_fill(~is_kept, INF).amin(-1)
    largest_cut = logits.masked_fill(is_kept, -INF).amax(-1)
    assert (smallest >= largest_cut).all()
    assert_close(greedy(kept), greedy(logits))


def test_of_equal_logits_the_lower_ids_stay() -> None:
    logits = torch.tensor([1.0, 3.0, 1.0, 2.0, 1.0])
    assert top_k_logits(logits, 3).tolist() == [1.0, 3.0, -INF, 2.0, -INF]
    assert top_k_logits(torch.zeros(64), 7).isfinite().nonzero().flatten().tolist() == [*range(7)]
    assert top_p_logits(torch.zeros(4), 0.5).tolist() == [0.0, 0.0, -INF, -INF]
    assert top_p_logits(torch.zeros(4), 0.51).tolist() == [0.0, 0.0, 0.0, -INF]
    assert greedy(torch.zeros(2, 64)).tolist() == [0, 0]


@given(seed=seeds, p=st.floats(1e-9, 1.0))
def test_top_p_is_the_smallest_set_that_reaches_p(seed: int, p: float) -> None:
    logits = 2 * normal(seed, B, V)
    weights = torch.softmax(logits, -1)
    kept = top_p_logits(logits, p)
    is_kept = kept > -INF
    assert_close(kept[is_kept], logits[is_kept], rtol=0, atol=0)
    mass = (weights * is_kept).sum(-1)
    lightest = weights.masked_fill(~is_kept, INF).amin(-1)
    # The same sums in another order: they round by at most V · 2^-53 = 1.4e-15.
    assert (mass >= p - 1e-14).all()
    assert (mass - lightest < p + 1e-14).all()
    assert (lightest >= weights.masked_fill(is_kept, 0).amax(-1)).all()


def test_top_p_on_every_set_of_a_small_vocabulary() -> None:
    weights = torch.tensor([0.125, 0.5, 0.0625, 0.3125], dtype=torch.float64)
    for p in (0.1, 0.5, 0.501, 0.8125, 0.813, 0.9375, 0.95, 1.0):
        reaching = [
            set(chosen)
            for size in range(1, 5)
            for chosen in itertools.combinations(range(4), size)
            if weights[list(chosen)].sum() >= p
        ]
        fewest = min(len(chosen) for chosen in reaching)
        heaviest = max(
            (chosen for chosen in reaching if len(chosen) == fewest),
            key=lambda chosen: weights[list(chosen)].sum().item(),
        )
        kept = top_p_logits(weights.log(), p)
        # log and softmax round; a hair less than p asks for the same set, where p is reached at all
        kept = top_p_logits(weights.log(), p - 1e-12) if p < 1 else kept
        assert set(kept.isfinite().nonzero().flatten().tolist()) == heaviest, p


@given(seed=seeds, shift=st.floats(-1e4, 1e4))
def test_shifting_logits_changes_no_choice(seed: int, shift: float) -> None:
    logits = normal(seed, B, V)
    shifted = logits + shift  # costs 1e4 · 2^-53 = 1.1e-12 of each
    points = torch.rand(B, generator=generator(seed % 1000), dtype=torch.float64)
    assert_close(greedy(shifted), greedy(logits))
    assert_close(pick(shifted, points), pick(logits, points))
    for kept, expected in (
        (top_k_logits(shifted, 4), top_k_logits(logits, 4)),
        (top_p_logits(shifted, 0.7), top_p_logits(logits, 0.7)),
    ):
        assert_close(kept > -INF, expected > -INF)


@given(seed=seeds)
def test_permuting_the_vocabulary_permutes_what_is_kept(seed: int) -> None:
    logits, order = normal(seed, B, V), permutation(seed, V)
    assert_close(top_k_logits(logits[:, order], 4), top_k_logits(logits, 4)[:, order])
    assert_close(top_p_logits(logits[:, order], 0.7), top_p_logits(logits, 0.7)[:, order])
    assert_close(order[greedy(logits[:, order])], greedy(logits))


def test_the_ladder() -> None:
    logits = normal(0, B, T, V)
    assert_close(top_k_logits(logits, V), logits, rtol=0, atol=0)
    assert_close(top_p_logits(logits, 1.0), logits, rtol=0, atol=0)
    light = torch.tensor([0.0, -50.0])  # 1 + e^-50 rounds to 1, yet the second may be drawn
    assert top_p_logits(light, 1.0).tolist() == [0.0, -50.0]
    assert naive_logits.top_p_logits(light.double().numpy(), 1.0).tolist() == [0.0, -50.0]
    assert_close(temperature_logits(logits, 1.0), logits, rtol=0, atol=0)
    largest = greedy(logits)
    for seed in range(20):
        for alone in (
            top_k_logits(logits, 1),
            top_p_logits(logits, 1e-9),
            temperature_logits(logits, 1e-5),
        ):
            assert_close(sample(alone, generator(seed)), largest)


def test_a_token_of_no_weight_is_never_drawn() -> None:
    logits = torch.tensor([[-INF, 0.0, -INF, 1.0, -INF]])
    for point in (0.0, 1e-300, 0.2689, 0.9, 1 - 2**-53):
        assert pick(logits, torch.tensor([point], dtype=torch.float64)).item() in (1, 3)
    assert pick(logits, torch.tensor([0.0])).item() == 1
    last = torch.tensor([1 - 2**-53], dtype=torch.float64)
    assert pick(logits, last).item() == 3
    # Rounded ends that fall short of 1 leave no gap.
    assert torch.softmax(torch.zeros(6).double(), -1).cumsum(-1)[-1] < 1
    assert pick(torch.zeros(1, 6), last).item() == 5
    many = sample(torch.tensor([0.0, -INF, 0.0]).expand(2000, 3), generator())
    assert set(many.tolist()) == {0, 2}


def test_a_cut_token_has_weight_zero_not_logit_zero() -> None:
    logits = torch.tensor([-5.0, -6.0, -7.0])
    assert torch.softmax(top_k_logits(logits, 1), -1).tolist() == [1.0, 0.0, 0.0]
    assert torch.softmax(top_p_logits(logits, 0.1), -1).tolist() == [1.0, 0.0, 0.0]


def test_temperature_sharpens_below_one() -> None:
    logits = torch.tensor([0.0, 2.0])
    assert temperature_logits(logits, 0.5).tolist() == [0.0, 4.0]
    assert temperature_logits(logits, 2.0).tolist() == [0.0, 1.0]


def test_logits_of_ten_thousand() -> None:
    logits = torch.tensor([[1e4, -1e4, 9999.0]])
    assert sample(top_p_logits(logits, 0.7), generator()).item() == 0
    assert top_p_logits(logits, 0.9).tolist() == [[1e4, -INF, 9999.0]]
    assert greedy(-logits).item() == 1
    assert top_k_logits(torch.zeros(1, 1), 1).tolist() == [[0.0]]


def test_no_argument_is_modified() -> None:
    logits = logits_with_ties(0, B, V)
    before = logits.clone()
    top_k_logits(logits, 2)
    top_p_logits(logits, 0.5)
    top_p_logits(logits, 1.0).zero_()
    temperature_logits(logits, 0.5)
    sample(logits, generator())
    assert_close(logits, before, rtol=0, atol=0)


def test_gradients_pass_through_what_is_kept() -> None:
    logits = normal(0, B, V).requires_grad_()
    for function in (
        lambda x: top_k_logits(x, 4),
        lambda x: top_p_logits(x, 0.6),
        lambda x: temperature_logits(x, 0.6),
    ):
        assert torch.autograd.gradcheck(lambda x, f=function: torch.softmax(f(x), -1), (logits,))


# The loop


KINDS = {
    "rope": lambda: make_decoder(),
    "windows": lambda: make_decoder(window=WINDOW),
    "learned positions": lambda: make_decoder(2, is_learned=True),
}


class Recorder:
    """Chooses greedily and keeps the logits."""

    def __init__(self) -> None:
        self.seen: list[Tensor] = []

    def __call__(self, logits: Tensor) -> Tensor:
        self.seen.append(logits)
        return greedy(logits)


@pytest.mark.parametrize("length", [1, T, CONTEXT - 1, CONTEXT, CONTEXT + 2])
@pytest.mark.parametrize("kind", KINDS)
def test_the_cache_changes_no_logit(kind: str, length: int) -> None:
    model, ids, n = KINDS[kind](), prompt(length=length), 2 * CONTEXT
    with_cache, without = Recorder(), Recorder()
    written = continue_ids(model, ids, n, with_cache)
    expected = continue_ids_without_cache(model, ids, n, without)
    assert written.shape == (B, length + n)
    assert_close(written, expected)
    assert_close(torch.stack(with_cache.seen), torch.stack(without.seen))
    assert len(set(written[:, length:].flatten().tolist())) > 2  # not one token for ever


@pytest.mark.parametrize("kind", KINDS)
def test_each_token_is_the_model_s_choice_after_all_before_it(kind: str) -> None:
    model, ids = KINDS[kind](), prompt()
    written = continue_ids(model, ids, CONTEXT - T, greedy)
    assert_close(written[:, :T], ids)
    with torch.no_grad():
        logits = model(written)  # all at once: teacher forcing
    assert_close(written[:, T:], logits[:, T - 1 : -1].argmax(-1))


def test_beyond_the_context_the_last_tokens_alone_are_read() -> None:
    model, long = make_decoder(is_learned=True), prompt(length=CONTEXT + 4)
    other = long.clone()
    other[:, :4] = (other[:, :4] + 1) % V
    for write in (continue_ids, continue_ids_without_cache):
        first = write(model, long, 5, greedy)
        assert_close(write(model, other, 5, greedy)[:, 4:], first[:, 4:])
        assert_close(write(model, long[:, 4:], 5, greedy), first[:, 4:])


def test_within_the_context_each_step_reads_one_token() -> None:
    model = make_decoder()
    read: list[int] = []
    model.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0].shape[1]))
    continue_ids(model, prompt(), CONTEXT - T + 3, greedy)
    assert read == [T] + [1] * (CONTEXT - T) + [CONTEXT] * 2
    read.clear()
    continue_ids_without_cache(model, prompt(), 3, greedy)
    assert read == [T, T + 1, T + 2]


def test_generate_draws_as_the_parts_do() -> None:
    model, ids = make_decoder(), prompt()
    written = generate(model, ids, 6, 0.8, 5, generator(1))
    source, expected = generator(1), ids
    with torch.no_grad():
        for _ in range(6):
            logits = temperature_logits(model(expected)[:, -1], 0.8)
            drawn = sample(top_k_logits(logits, 5), source)
            expected = torch.cat([expected, drawn[:, None]], dim=1)
    assert_close(written, expected)
    assert_close(generate(model, ids, 6, 0.8, 5, generator(1)), written)
    others = [generate(model, ids, 6, 0.8, 5, generator(seed)) for seed in range(2, 6)]
    assert any((other != written).any() for other in others)


def test_temperature_zero_is_greedy_and_draws_nothing() -> None:
    model, ids, source = make_decoder(), prompt(), generator(1)
    before = source.get_state()
    written = generate(model, ids, 6, 0.0, 5, source)
    assert_close(written, continue_ids(model, ids, 6, greedy))
    assert_close(source.get_state(), before)
    logits = normal(5, B, V)
    coldest = sampler(source, temperature=0, top_k=3, top_p=0.5)(logits)
    assert_close(coldest, greedy(logits))
    assert_close(source.get_state(), before)
    with pytest.raises(ValueError, match="k is -1 and V is 13"):
        sampler(source, temperature=0, top_k=-1)(logits)
    # The limit: so small a temperature leaves one token.
    assert_close(generate(model, ids, 6, 1e-6, None, source), written)


def test_the_sampler_keeps_its_order() -> None:
    logits = torch.tensor([[4.0, 3.0, 2.0, 1.0]], dtype=torch.float64)
    choose = sampler(generator(), temperature=0.5, top_k=3, top_p=0.99)
    # After the temperature the weights of the first three are .867, .117, .016; two make .984.
    assert {choose(logits).item() for _ in range(400)} == {0, 1, 2}
    choose = sampler(generator(), temperature=0.5, top_k=3, top_p=0.98)
    assert {choose(logits).item() for _ in range(400)} == {0, 1}
    choose = sampler(generator(), temperature=100.0, top_p=0.5)  # nearly all alike: two of four
    assert {choose(logits).item() for _ in range(100)} == {0, 1}


@settings(max_examples=20)
@given(seed=seeds, end_id=st.integers(0, V - 1))
def test_each_sequence_goes_on_until_its_own_end(seed: int, end_id: int) -> None:
    model, ids, n = make_decoder(), prompt(length=3), CONTEXT + 4
    drawn = continue_ids(model, ids, n, sampler(generator(seed)))
    written = continue_until(model, ids, n, sampler(generator(seed)), end_id)
    lengths = []
    for full, ended in zip(drawn[:, 3:].tolist(), written[:, 3:].tolist(), strict=True):
        length = full.index(end_id) + 1 if end_id in full else n
        lengths.append(length)
        assert ended == (full[:length] + [end_id] * n)[: len(ended)]
    assert written.shape == (B, 3 + max(lengths))
    assert_close(written[:, :3], ids)


def test_no_step_is_taken_after_the_last_end() -> None:
    model, ids = make_decoder(), prompt()
    script = iter([[4, 1], [4, 4], [2, 2]])
    calls: list[int] = []
    model.register_forward_pre_hook(lambda _, inputs: calls.append(inputs[0].shape[1]))
    written = continue_until(model, ids, 9, lambda _: torch.tensor(next(script)), end_id=4)
    assert written[:, T:].tolist() == [[4, 4], [1, 4]]
    assert calls == [T, 1]
    assert_close(continue_until(model, ids, 0, greedy, end_id=4), ids)
    with pytest.raises(ValueError, match=rf"end_id is {V} and V is {V}"):
        continue_until(model, ids, 1, greedy, end_id=V)
    with pytest.raises(ValueError, match="end_id is -1"):
        continue_until(model, ids, 1, greedy, end_id=-1)


def test_the_caller_s_gradients_stay_on_while_tokens_are_written() -> None:
    seen: list[bool] = []

    def choose(logits: Tensor) -> Tensor:
        seen.append(torch.is_grad_enabled())
        return greedy(logits)

    continue_ids(make_decoder(), prompt(), 2, choose)
    assert seen == [False, False]
    assert torch.is_grad_enabled()


def test_nothing_to_write_gives_the_sequence_back() -> None:
    model, ids = make_decoder(), prompt()
    for write in (continue_ids, continue_ids_without_cache):
        written = write(model, ids, 0, greedy)
        assert_close(written, ids)
        written.zero_()
        assert_close(ids, prompt())
        recorder = Recorder()
        write(model, ids, 2, recorder)
        assert not any(logits.requires_grad for logits in recorder.seen)  # nothing is kept for it


# What the errors say


def assert_refused(*numbers: object):
    return pytest.raises(ValueError, match=".*".join(str(number) for number in numbers))


def test_errors_name_the_numbers() -> None:
    logits = torch.zeros(2, 5)
    for temperature in (0.0, -0.5, INF, math.nan):
        with assert_refused("above 0", f"temperature is {temperature}", r"\(2, 5\)"):
            temperature_logits(logits, temperature)
    for k in (0, -1, 6):
        with assert_refused("top-k", f"k is {k} and V is 5", r"\(2, 5\)"):
            top_k_logits(logits, k)
    for p in (0.0, -0.1, 1.1, math.nan):
        with assert_refused("top-p", f"p is {p}", r"\(2, 5\)"):
            top_p_logits(logits, p)
    points = torch.tensor([0.5, 1.0])
    with assert_refused("0 <= uniform < 1", "1 do not", "1.0", r"\(2,\)"):
        pick(logits, points)
    with assert_refused("uniform", "2 do not", r"-0\.75"):
        pick(logits, points - 1.25)


@pytest.mark.parametrize("value", [math.nan, -INF, INF])
def test_a_row_without_a_choice_is_refused(value: float) -> None:
    logits = torch.zeros(2, 5)
    logits[1] = value
    for function in (
        greedy,
        lambda x: sample(x, generator()),
        lambda x: top_p_logits(x, 0.5),
        lambda x: top_p_logits(x, 1.0),
    ):
        with assert_refused("1 of 2 rows", "V is 5", r"\(2, 5\)"):
            function(logits)
    with assert_refused("2 of 2 rows", "V is 0"):
        greedy(torch.zeros(2, 0))


@pytest.mark.usefixtures("without_annotations")
def test_a_sequence_without_a_token_is_refused() -> None:
    model = make_decoder()
    for write in (continue_ids, continue_ids_without_cache):
        with assert_refused("n is 3 and T is 0", r"\(2, 0\)"):
            write(model, prompt()[:, :0], 3, greedy)
        with assert_refused("n is -1 and T is 3"):
            write(model, prompt(), -1, greedy)
        with assert_refused("ids has the axes B T, 2 in number", r"has 1; shape \(3,\)"):
            write(model, prompt()[0], 3, greedy)
