"""Prompts of different lengths in one batch: each gets the tokens and logits that it gets alone."""

import re

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from course_lib.config.attention import (
    AlibiAttentionConfig,
    AttentionConfig,
    CausalAttentionConfig,
)
from course_lib.config.attention_parts import OutputGate, Softmax, Window
from course_lib.config.decoder import DecoderConfig, LayerConfig, LearnedPositions, Unembedding
from course_lib.config.delta_rule import GatedDeltaRuleConfig
from course_lib.config.feed_forward import GatedFeedForwardConfig
from course_lib.config.latent import LatentAttentionConfig
from course_lib.config.norms import RMSNormConfig
from course_lib.config.rope import RopeConfig
from course_lib.generation.choice import Choose, each_its_own, greedy, sampler
from course_lib.generation.prompts import (
    continue_prompts,
    continue_prompts_until,
    continue_prompts_without_cache,
    padded_left,
)
from course_lib.generation.writing import continue_ids, continue_ids_without_cache
from course_lib.layers.activations import silu
from course_lib.model.decoder import Decoder
from course_lib.model.initialise import initialise

V, CONTEXT, WINDOW, END = 13, 12, 4, 3
LENGTHS = (7, 1, 4, 7)
SIZES = {"num_heads": 4, "num_kv_heads": 2, "head_dim": 6}
ROPE = RopeConfig(base=100.0, rotary_dim=6)
PLAIN = CausalAttentionConfig(**SIZES)
ROTARY = CausalAttentionConfig(**SIZES, rope=ROPE)
WINDOWED = CausalAttentionConfig(**SIZES, rope=ROPE, reach=Window(size=WINDOW))
LATENT = LatentAttentionConfig(
    num_heads=4, head_dim=6, value_dim=5, latent_dim=7, rope=RopeConfig(base=100.0, rotary_dim=2)
)
STATES = GatedDeltaRuleConfig(
    num_heads=4, num_key_heads=2, head_dim=3, value_dim=5, window=3, norm=RMSNormConfig(eps=1e-6)
)
GATED = CausalAttentionConfig(**SIZES, rope=ROPE, output_gate=OutputGate.PER_ENTRY)
#: One attention a layer; GPT-2's kind has a table of positions besides.
KINDS: dict[str, tuple[AttentionConfig, ...]] = {
    "learned positions": (PLAIN, PLAIN),
    "RoPE": (ROTARY, ROTARY),
    "windows, every other layer": (WINDOWED, ROTARY),
    "ALiBi": (AlibiAttentionConfig(**SIZES), AlibiAttentionConfig(**SIZES)),
    "ALiBi, window": (AlibiAttentionConfig(**SIZES, reach=Window(size=WINDOW)),) * 2,
    "latent": (LATENT, LATENT),
    "sinks": (CausalAttentionConfig(**SIZES, rope=ROPE, softmax=Softmax.WITH_SINKS),) * 2,
    "no positions": (PLAIN, ROTARY),
    "states, and a gate": (STATES, GATED),
}
MAIN = ("learned positions", "RoPE", "windows, every other layer", "ALiBi")


def decoder(kind: str) -> Decoder:
    norm = RMSNormConfig(eps=1e-6)
    layers = tuple(
        LayerConfig(
            attention=attention,
            feed_forward=GatedFeedForwardConfig(d_ff=17, activation=silu),
            norm=norm,
        )
        for attention in KINDS[kind]
    )
    model = Decoder(
        DecoderConfig(
            vocab_size=V,
            d_model=10,
            context_length=CONTEXT,
            embedding_steps=(LearnedPositions(),) if kind == "learned positions" else (),
            layers=layers,
            final_norm=norm,
            unembedding=Unembedding.TIED,
        )
    ).double()
    initialise(model, torch.Generator().manual_seed(1), std=0.6)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("sinks"):
                weight.add_(0.7)
    return model


def prompts(lengths: tuple[int, ...] = LENGTHS) -> list[Tensor]:
    generator = torch.Generator().manual_seed(5)
    return [torch.randint(V, (length,), generator=generator) for length in lengths]


# The model


@pytest.mark.parametrize("kind", KINDS)
def test_logits_behind_padding_are_those_of_the_row_alone(kind: str) -> None:
    model, rows = decoder(kind), prompts((9, 3, 4, 6))
    ids, padding = padded_left(rows)
    whole = model(ids, padding=padding)
    caches = model.new_caches()
    chunks = [model(chunk, caches, padding) for chunk in ids.split([7, 1, 1], dim=1)]
    for row, prompt in enumerate(rows):
        alone = model(prompt[None])[0]
        assert_close(whole[row, padding[row] :], alone)
        assert_close(torch.cat(chunks, dim=1)[row, padding[row] :], alone)


@pytest.mark.parametrize("kind", KINDS)
def test_what_fills_a_row_up_has_no_influence(kind: str) -> None:
    model = decoder(kind)
    ids, padding = padded_left(prompts())
    is_padding = torch.arange(ids.shape[1]) < padding[:, None]
    other = ids.masked_fill(is_padding, V - 1)
    assert_close(
        model(other, padding=padding)[~is_padding], model(ids, padding=padding)[~is_padding]
    )
    logits = model(ids, padding=padding)
    weights = list(model.parameters())
    wanted = torch.autograd.grad(model(prompts()[1][None]).sum(), weights)
    found = torch.autograd.grad(logits[1, padding[1] :].sum(), weights)
    for ours, alone in zip(found, wanted, strict=True):
        assert_close(ours, alone)  # and no NaN from rows that read nothing


def test_no_padding_is_the_plain_call() -> None:
    for kind in KINDS:
        model, ids = decoder(kind), torch.stack(prompts((5, 5)))
        none = torch.zeros(2, dtype=torch.int64)
        assert torch.equal(model(ids, padding=none), model(ids))


@pytest.mark.usefixtures("without_annotations")
def test_padding_that_cannot_be_is_refused() -> None:
    model, ids = decoder("RoPE"), torch.stack(prompts((5, 5)))
    for wrong in (-1, 5):
        with pytest.raises(ValueError, match=f"padding has {wrong} and there are 5 columns"):
            model(ids, padding=torch.tensor([0, wrong]))
    with pytest.raises(ValueError, match="ids has B=2 rows and padding 3 counts"):
        model(ids, padding=torch.tensor([0, 1, 2]))
    with pytest.raises(ValueError, match=r"counts, .* padding is torch\.bool; shape \(2,\)"):
        model(ids, padding=torch.tensor([False, True]))
    with pytest.raises(ValueError, match=r"padding is torch\.float32; shape \(2,\)"):
        model(ids, padding=torch.tensor([0.0, 1.0]))
    with pytest.raises(TypeError, match="what came as padding is of type list"):
        model(ids, padding=[0, 1])
    caches = model.new_caches()
    model(ids, caches, torch.tensor([0, 4]))
    with pytest.raises(ValueError, match="padding has 7 and there are 6 columns"):
        model(ids[:, :1], caches, torch.tensor([0, 7]))


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize("kind", ["RoPE", "windows, every other layer", "latent"])
def test_padding_that_changes_between_calls_is_refused(kind: str) -> None:
    model, ids = decoder(kind), torch.stack(prompts((5, 5)))
    for first, then in (((0, 4), (0, 3)), ((0, 4), None), (None, (1, 0)), ((0, 0), (0, 1))):
        before, after = (None if row is None else torch.tensor(row) for row in (first, then))
        caches = model.new_caches()
        model(ids, caches, before)
        was, now = (row if row and any(row) else None for row in (first, then))
        message = re.escape(f"behind 5 columns it was {was} and is {now}")
        with pytest.raises(ValueError, match=message):
            model(ids[:, :1], caches, after)
        assert {cache.length for cache in caches} == {5}
        model(ids[:, :1], caches, before)
    caches = model.new_caches()
    padding = torch.tensor([0, 2])
    with pytest.raises(ValueError, match="ids go from"):
        model(ids + V, caches, torch.tensor([0, 3]))
    model(ids, caches, padding)  # what failed has told nothing
    padding += 1
    model(ids[:, :1], caches, torch.tensor([0, 2]))  # nor does a changed tensor
    for kept in (None, torch.tensor([0, 0])):
        caches = model.new_caches()
        model(ids, caches, kept)
        model(ids[:, :1], caches, None)
        model(ids[:, :1], caches, torch.tensor([0, 0]))


@pytest.mark.parametrize("kind", KINDS)
def test_a_nan_in_the_padding_reaches_nobody(kind: str) -> None:
    model, rows = decoder(kind), prompts((6, 2, 4))
    rows = [row.clamp(min=1) for row in rows]
    ids, padding = padded_left(rows)
    is_token = torch.arange(ids.shape[1]) >= padding[:, None]
    expected = model(ids, padding=padding)[is_token]
    with torch.no_grad():
        model.embedding[0] = torch.nan  # the id that fills rows up
    caches = model.new_caches()
    chunks = [model(chunk, caches, padding) for chunk in ids.split([5, 1], dim=1)]
    for logits in (model(ids, padding=padding), torch.cat(chunks, dim=1)):
        assert_close(logits[is_token][:, 1:], expected[:, 1:])  # the NaN's own logit is NaN


# Generation


@pytest.mark.usefixtures("without_annotations")  # they cost more than these small models
@pytest.mark.parametrize("kind", KINDS)
def test_each_prompt_is_continued_as_alone(kind: str) -> None:
    model, given = decoder(kind), prompts()
    n = 9  # the longest leaves the context behind after five tokens, the shortest never
    assert max(LENGTHS) + n > CONTEXT + 1 > min(LENGTHS) + n
    ways = [continue_prompts, continue_prompts_without_cache][: 2 if kind in MAIN else 1]
    alone = [continue_ids(model, prompt[None], n, greedy)[0] for prompt in given]
    assert len({tuple(longer.tolist()[-n:]) for longer in alone}) > 2  # not one answer to all
    for go_on in ways:
        for longer, expected in zip(go_on(model, given, n, greedy), alone, strict=True):
            assert torch.equal(longer, expected)


@pytest.mark.usefixtures("without_annotations")  # they cost more than these small models
@pytest.mark.parametrize("kind", MAIN)
def test_each_prompt_draws_as_alone(kind: str) -> None:
    model, given = decoder(kind), prompts()

    def draw(seed: int) -> Choose:
        return sampler(torch.Generator().manual_seed(seed), temperature=1.3, top_k=7, top_p=0.9)

    together = continue_prompts(model, given, 6, each_its_own([draw(seed) for seed in range(4)]))
    for seed, (prompt, longer) in enumerate(zip(given, together, strict=True)):
        assert torch.equal(longer, continue_ids(model, prompt[None], 6, draw(seed))[0])


@pytest.mark.usefixtures("without_annotations")  # they cost more than these small models
def test_each_prompt_ends_as_alone() -> None:
    model, given = decoder("windows, every other layer"), prompts()
    n, found = 9, set()
    alone = [continue_ids(model, prompt[None], n, greedy)[0] for prompt in given]
    first, last = int(alone[0][len(given[0])]), int(alone[2][-1])
    for end_id in {first, last, END}:
        together = continue_prompts_until(model, given, n, greedy, end_id)
        for prompt, longer, whole in zip(given, together, alone, strict=True):
            written = whole[len(prompt) :].tolist()
            count = written.index(end_id) + 1 if end_id in written else n
            assert torch.equal(longer, whole[: len(prompt) + count])
            found.add(count)
    assert {1, n} < found  # some end early, some late, some never


@pytest.mark.usefixtures("without_annotations")  # they cost more than these small models
def test_an_end_in_the_prompt_is_read_like_any_token() -> None:
    model = decoder("RoPE")
    given = [torch.tensor([END, END, 5]), torch.tensor([END])]
    for prompt, longer in zip(
        given, continue_prompts_until(model, given, 3, greedy, END), strict=True
    ):
        assert torch.equal(longer[: len(prompt)], prompt)
        assert len(longer) > len(prompt)


@pytest.mark.usefixtures("without_annotations")  # they cost more than these small models
def test_nothing_to_write_gives_the_prompts() -> None:
    model, given = decoder("ALiBi"), prompts()
    for longer in (
        continue_prompts(model, given, 0, greedy),
        continue_prompts_without_cache(model, given, 0, greedy),
        continue_prompts_until(model, given, 0, greedy, END),
    ):
        assert all(torch.equal(row, prompt) for row, prompt in zip(longer, given, strict=True))


@pytest.mark.usefixtures("without_annotations")  # they cost more than these small models
def test_a_prompt_beyond_the_context_beside_a_short_one() -> None:
    model, given = decoder("learned positions"), prompts((CONTEXT + 5, 2, CONTEXT))
    for go_on in (continue_prompts, continue_prompts_without_cache):
        for prompt, longer in zip(given, go_on(model, given, 4, greedy), strict=True):
            assert torch.equal(longer, continue_ids(model, prompt[None], 4, greedy)[0])


# The batch


def test_a_batch_ends_together() -> None:
    ids, padding = padded_left([torch.tensor([5]), torch.tensor([7, 8, 9]), torch.tensor([2, 4])])
    assert ids.tolist() == [[0, 0, 5], [7, 8, 9], [0, 2, 4]]
    assert padding.tolist() == [2, 0, 1]


@pytest.mark.usefixtures("without_annotations")
def test_what_is_no_prompt_is_refused() -> None:
    with pytest.raises(ValueError, match="there are 0 prompts"):
        padded_left([])
    with pytest.raises(ValueError, match=r"there are 2 prompts, of lengths \[2, 0\]"):
        padded_left([torch.tensor([1, 2]), torch.tensor([], dtype=torch.int64)])
    with pytest.raises(ValueError, match=r"shape .*\(1, 2\)"):
        padded_left([torch.tensor([[1, 2]])])
    with pytest.raises(ValueError, match=r"prompt 1 is torch\.float32; shape \(1,\)"):
        padded_left([torch.tensor([1, 2]), torch.tensor([1.5])])
    with pytest.raises(ValueError, match=r"prompt 0 is torch\.bool; shape \(2,\)"):
        padded_left([torch.tensor([True, False])])


def test_ids_of_any_integers_make_one_batch() -> None:
    ids, _ = padded_left([torch.tensor([7], dtype=torch.int8), torch.tensor([300, 2**40])])
    assert ids.tolist() == [[0, 7], [300, 2**40]]


@pytest.mark.usefixtures("without_annotations")
def test_what_cannot_be_continued_is_refused() -> None:
    model, ids = decoder("RoPE"), torch.stack(prompts((5, 5)))
    for go_on in (continue_ids, continue_ids_without_cache):
        for n, padding, message in (
            (2.0, None, "n is 2.0, of type float"),
            (True, None, "n is True, of type bool"),
            (2, torch.tensor([0, -1]), "padding has -1 and there are 5 columns"),
            (2, torch.tensor([0, 5]), "padding has 5 and there are 5 columns"),
            (2, torch.tensor([0.0, 1.0]), "padding is torch.float32; shape (2,)"),
            (2, torch.tensor([False, True]), "padding is torch.bool; shape (2,)"),
            (2, torch.tensor(1), "padding has the axes B, 1 in number; padding has 0; shape ()"),
            (2, torch.tensor([0, 1, 1]), "ids has B=2 rows and padding 3 counts"),
        ):
            with pytest.raises(ValueError, match=re.escape(message)):
                go_on(model, ids, n, greedy, padding)
        with pytest.raises(TypeError, match="what came as padding is of type list"):
            go_on(model, ids, 2, greedy, [0, 1])


@pytest.mark.usefixtures("without_annotations")
def test_each_row_has_one_way_to_choose() -> None:
    with pytest.raises(ValueError, match=r"there are 2 and B is 3; shape \(3, 13\)"):
        each_its_own([greedy, greedy])(torch.zeros(3, V))
    logits = torch.tensor([[0.0, 2.0, 1.0], [5.0, 1.0, 1.0]])
    assert each_its_own([greedy, greedy])(logits).tolist() == [1, 0]
