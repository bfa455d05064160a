"""What the catalogue on caches and grouped queries takes as given: measured, and tried again."""

import contextlib
import io
import math
import re
from typing import Any

import answers_from_threads_kv_cache_and_gqa as written
import pytest
import torch

from course_lib.attention.grouped import mha_to_gqa
from course_lib.attention.latent import latent_attention, latent_keys, latent_queries
from course_lib.attention.latent_parameters import LatentParameters
from course_lib.cache.attend import attend_with_cache
from course_lib.cache.growing import KVCache
from course_lib.counts.cache import kv_cache_bytes
from course_lib.masks import causal_mask
from course_lib.positions.rope import rope, rope_inv_freq
from course_lib.positions.rotation_table import rotation_table
from grading import check
from grading.asking import Live
from grading.catalogue.kill_table import wrong_answers
from grading.exercises.kv_cache_and_gqa import EXERCISES
from grading.exercises.kv_cache_and_gqa import testing as of_cache
from grading.exercises.kv_cache_and_gqa.caching import ATTEND_WITH_CACHE
from grading.exercises.kv_cache_and_gqa.drafting import ACCEPT_DRAFT
from grading.exercises.kv_cache_and_gqa.latent import MLA_ATTENTION
from grading.exercises.kv_cache_and_gqa.measures import KEPT, SHARE_KEPT
from grading.exercises.kv_cache_and_gqa.questions import BUGS, SAVING, _broken
from grading.notebooks import ROOT, read_notebook
from grading.verdict.case import ANSWER, Case

pytestmark = pytest.mark.filterwarnings("ignore")
NOTEBOOK = ROOT / "solutions" / "kv-cache-and-gqa" / "kv-cache-and-gqa.ipynb"

#: What the sentence of a way to test too little says that passes.
PASSES = {
    "TEST-SHAPES": {"KV-NOMASKCHUNK", "ROPE-NONE"},
    "TEST-ONETOKEN": {"KV-NOMASKCHUNK"},
    "TEST-EMPTYCACHE": {"KV-POS0", "KV-TOPLEFT"},
    "TEST-OUTPUTALONE": {"KV-STALE", "KV-KEEPRAW"},
    "TEST-SELF": {"SDPA-NOSCALE", "ROPE-NONE"},
    "TEST-ONEBASE": {"ROPE-BASE"},
    "TEST-NOTHING": set[str](),
    "TEST-ALL": set[str](),
    "TEST-EXACT": set[str](),
}


def by_name(name: str) -> Any:
    (exercise,) = (one for one in EXERCISES if one.name == name)
    return exercise


def drawn(*shape: int, seed: int = 0) -> Any:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


# -- the references are what the library computes --------------------------------------------------


@pytest.mark.parametrize("cuts", [(9,), (4, 3, 1, 1), (1,) * 9])
def test_the_reference_of_the_cache_is_the_librarys_cache(cuts: tuple[int, ...]) -> None:
    query, key, value = drawn(2, 3, 9, 6), drawn(2, 3, 9, 6, seed=1), drawn(2, 3, 9, 5, seed=2)
    cache, start = KVCache(), 0
    kept = key[:, :, :0], value[:, :, :0]
    for size in cuts:
        own, at = slice(start, start + size), torch.arange(start, start + size)
        new = query[:, :, own], key[:, :, own], value[:, :, own]
        output, *kept = ATTEND_WITH_CACHE.reference(*new, *kept, 100.0)
        turned = [rope(rows, at, 100.0) for rows in new[:2]]
        expected = attend_with_cache(turned[0], turned[1], new[2], cache)
        torch.testing.assert_close(output, expected)
        start += size
    torch.testing.assert_close(kept[0], rope(key, torch.arange(9), 100.0))
    torch.testing.assert_close(kept[1], value)


def test_the_reference_of_latent_attention_is_the_librarys() -> None:
    B, T, C, H, D, Dr, Dc, Dv = 2, 5, 7, 3, 4, 6, 8, 5
    x, g = drawn(B, T, C), drawn(Dc, seed=1)
    shapes = [(C, H * D), (C, H * Dr), (C, Dc), (C, Dr), (Dc, H * D), (Dc, H * Dv), (H * Dv, C)]
    w_q, w_qr, w_dkv, w_kr, w_uk, w_uv, w_o = (
        drawn(*shape, seed=seed) for seed, shape in enumerate(shapes)
    )
    given = (x, w_q, w_qr, w_dkv, g, w_kr, w_uk, w_uv, w_o, H, 100.0, 1e-3)
    parameters = LatentParameters(w_dkv=w_dkv, g_kv=g, w_kr=w_kr, w_uk=w_uk, w_uv=w_uv)
    table = rotation_table(torch.arange(T), rope_inv_freq(Dr, 100.0))
    query, rotary = latent_queries(x, w_q, w_qr, H, table)
    kept = latent_keys(x, parameters, table, 1e-3)
    found = latent_attention(query, rotary, *kept, parameters, causal_mask(T))
    expected = found.transpose(1, 2).flatten(2) @ w_o
    torch.testing.assert_close(MLA_ATTENTION.reference(*given), expected)


def test_accepted_tokens_have_the_targets_frequencies() -> None:
    """Drafted by one distribution, they come out as often as the other says, place by place."""
    generator = torch.Generator().manual_seed(0)
    q, p = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]])
    counts, trials = torch.zeros(2, 3), 4000
    for token in torch.multinomial(q, trials, replacement=True, generator=generator):
        uniform = torch.rand(2, generator=generator)
        found = ACCEPT_DRAFT.reference(q[None], p, token[None], uniform)
        for place, one in enumerate(found):
            counts[place, one] += 1
    shares = counts / counts.sum(1, keepdim=True)
    assert (shares[0] - p[0]).abs().max() < 5 * 0.5 / math.sqrt(trials)
    # The second place is filled where the draft was kept: with the probability Σ min(p, q).
    kept = torch.minimum(p[0], q).sum().item()
    assert abs(counts[1].sum().item() / trials - kept) < 5 * 0.5 / math.sqrt(trials)


@pytest.mark.parametrize(("V", "apart"), KEPT)
def test_the_shares_are_those_of_the_table(V: int, apart: float) -> None:
    generator = torch.Generator().manual_seed(V)
    z, noise = (torch.randn(20_000, V, generator=generator) for _ in range(2))
    shares = torch.minimum(z.softmax(-1), (z + apart * noise).softmax(-1)).double().sum(-1)
    mean, spread = KEPT[V, apart]
    assert abs(shares.mean().item() - mean) < 5 * spread / math.sqrt(20_000) + 3e-4
    assert abs(shares.std().item() - spread) < 0.03 * spread


def test_what_windows_save_is_counted() -> None:
    given = (24, 8, 64, 131_072, 2)
    with_windows = kv_cache_bytes(*given, windows=[128, None] * 12)
    assert kv_cache_bytes(*given) / with_windows == pytest.approx(SAVING)
    assert f"{SAVING:.3f}" == "1.998"


def test_the_measure_draws_little_on_its_last_probe() -> None:
    probes = SHARE_KEPT.probes[0], SHARE_KEPT.probes[-1]
    first, last = (probe.draw(torch.Generator())["trials"] for probe in probes)
    assert last * 10 < first


def test_the_pairs_of_mistakes_stay_few() -> None:
    """A product is a function more that the first check of a process runs."""
    stepped = (one.steps for one in EXERCISES)
    assert 0 < sum(len(steps.products) for steps in stepped if steps is not None) < 150


def test_a_sentence_is_true_of_every_test_that_carries_it() -> None:
    exercise, candidates = of_cache.TEST_ATTEND_WITH_CACHE, of_cache._CANDIDATES
    codes = [one.code for one in candidates.wrong]
    for code, number in wrong_answers(exercise):
        view = Case(exercise, Live(exercise, (code, number))).trial(ANSWER, exercise.probes[0]).view
        assert view is not None
        refused = dict(zip(codes, view[0][len(candidates.right) :].tolist(), strict=True))
        passed = {name for name, is_refused in refused.items() if not is_refused}
        assert PASSES[code] <= passed, (code, number, passed)


def worst_in_half(exercise: Any) -> float:
    """Return how far right answers are off in bfloat16, of |b| + 1, over twenty seeds."""
    (probe,) = (one for one in exercise.probes if one.half)
    answers = [exercise.reference, *exercise.alternatives]
    worst = 0.0
    for seed in range(20):
        given = list(probe.draw(torch.Generator().manual_seed(seed)).values())
        given = [one for one in given if type(one).__name__ != "LeftOut"]
        narrow = [one.bfloat16() if torch.is_tensor(one) else one for one in given]
        wide = [one.double() if torch.is_tensor(one) else one for one in narrow]
        for answer in answers:
            truths, found = exercise.reference(*wide), answer(*narrow)
            if not isinstance(truths, tuple):
                truths, found = (truths,), (found,)
            for right, one in zip(truths, found, strict=True):
                off = (one.double() - right).abs() / (1 + right.abs())
                worst = max(worst, off.max().item())
    return worst


@pytest.mark.parametrize(
    "name", ["attend_with_cache", "mla_attention", "mha_to_gqa", "grouped_query_attention"]
)
def test_a_chain_of_roundings_stays_within_the_tolerance(name: str) -> None:
    if name in ("mha_to_gqa", "grouped_query_attention"):
        return  # the library's own function refuses nothing there, and rounds as the others do
    assert worst_in_half(by_name(name)) < 0.03  # 0.05 are allowed


# -- what makes no mistake of the catalogue has the name of none -----------------------------------


def cache_like(value: float) -> Any:
    def answer(*given: Any) -> Any:
        right = ATTEND_WITH_CACHE.alternatives[0](*given)
        return tuple(torch.full_like(one, value) + 0 * one for one in right)

    return answer


def cache_noise(*given: Any) -> Any:
    found = [
        torch.randn(one.shape).to(one.dtype) + 0 * one
        for one in ATTEND_WITH_CACHE.alternatives[0](*given)
    ]
    found[0].view(-1)[0] = torch.nan
    return tuple(found)


def halved(name: str, place: int = 0) -> Any:
    """A right result, half as large."""

    def answer(*given: Any) -> Any:
        found = by_name(name).alternatives[place](*given)
        return tuple(one / 2 for one in found) if isinstance(found, tuple) else found / 2

    return answer


def filled(name: str, value: float) -> Any:
    def answer(*given: Any) -> Any:
        found = by_name(name).alternatives[0](*given)
        return torch.full_like(found, value) + 0 * found

    return answer


def noise(name: str) -> Any:
    def answer(*given: Any) -> Any:
        found = by_name(name).alternatives[0](*given)
        made = torch.randn(found.shape).to(found.dtype) + 0 * found
        made.reshape(-1)[0] = torch.nan
        return made

    return answer


def reads_every_second(*given: Any) -> Any:
    return written.cached(
        may=lambda T, P: written.past(T, P) & (torch.arange(P + T) % 2 == (P + T - 1) % 2)
    )(*given)


UNNAMED: tuple[tuple[str, Any], ...] = (
    ("kv_cache_bytes", lambda *given: 0), ("kv_cache_bytes", lambda *given: 7),
    ("kv_cache_bytes", lambda layers, G, D, T, bytes, windows=None: layers + G + D + T),
    ("kv_cache_bytes", lambda layers, G, D, T, bytes, windows=None: 3 * G * D * T * layers),
    ("predict_window_saving", lambda: 24), ("predict_window_saving", lambda: 1.5),
    ("predict_window_saving", lambda: -1.0), ("predict_window_saving", lambda: 128),
    ("attend_with_cache", cache_like(0.0)), ("attend_with_cache", cache_like(torch.nan)),
    ("attend_with_cache", cache_noise), ("attend_with_cache", halved("attend_with_cache")),
    ("attend_with_cache", reads_every_second),
    ("attend_with_cache", written.counts_the_prompt_twice),
    ("attend_with_cache", lambda query, *others: query),
    ("grouped_query_attention", filled("grouped_query_attention", 0.0)),
    ("grouped_query_attention", filled("grouped_query_attention", torch.nan)),
    ("grouped_query_attention", noise("grouped_query_attention")),
    ("grouped_query_attention", halved("grouped_query_attention")),
    ("grouped_query_attention", lambda query, *others: query),
    ("grouped_query_attention", written.sharing(lambda h, H, G: G - 1 - h // (H // G))),
    ("mha_to_gqa", filled("mha_to_gqa", 0.0)), ("mha_to_gqa", noise("mha_to_gqa")),
    ("mha_to_gqa", filled("mha_to_gqa", torch.nan)),
    ("mha_to_gqa", lambda w_k, G, H: mha_to_gqa(w_k, G, H) * 1.5),
    ("mha_to_gqa", lambda w_k, G, H: w_k),
    ("mla_attention", filled("mla_attention", 0.0)), ("mla_attention", noise("mla_attention")),
    ("mla_attention", filled("mla_attention", torch.nan)),
    ("mla_attention", halved("mla_attention")), ("mla_attention", lambda x, *others: x),
    ("mla_attention", written.scaled_by_a_share_of_the_width),
    ("mla_attention", written.normed_behind_the_matrix),
    ("accept_draft", lambda *given: []), ("accept_draft", lambda *given: [0]),
    ("accept_draft", lambda p, q, draft, u: [0] * (len(draft) + 1)),
    ("accept_draft", lambda p, q, draft, u: [int(row.argmax()) for row in q]),
    ("accept_draft", written.first_token_not_checked), ("accept_draft", written.equal_to_a_draw),
    ("share_kept", lambda V, apart, trials, generator: float(
        torch.rand(trials, generator=generator).mean())),
    ("share_kept", lambda V, apart, trials, generator: written.share_by_ratios(
        V, apart, trials, generator) ** 2),
)  # fmt: skip


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [pytest.param(row[0], row[1], id=f"{row[0]}-{number}") for number, row in enumerate(UNNAMED)],
)
def test_what_is_no_mistake_of_the_catalogue_has_no_name(exercise: str, answer: Any) -> None:
    result = check(answer, exercise=exercise)
    assert not result.passed, str(result)
    assert result.misconception is None, str(result)


#: Mistakes of the catalogue in other words than its own.
NAMED: tuple[tuple[str, Any, str], ...] = (
    ("mla_attention", written.scaled_by_the_content, "MLA-SCALE"),
    ("mla_attention", written.latent_turned, "MLA-ROPELATENT"),
    ("mla_attention", written.latent_not_normed, "MLA-NONORM"),
    ("accept_draft", written.replaced_from_the_target, "SPEC-RESAMPLE"),
    ("accept_draft", lambda p, q, draft, u: draft.tolist(), "SPEC-ALL"),
    ("grouped_query_attention", written.one_for_all, "GQA-FIRST"),
)


@pytest.mark.parametrize(("exercise", "answer", "code"), NAMED)
def test_a_mistake_in_other_words_has_its_name(exercise: str, answer: Any, code: str) -> None:
    assert check(answer, exercise=exercise).misconception == code


# -- what the notebook tells -----------------------------------------------------------------------


def cells() -> dict[str, str]:
    return {cell["id"]: cell["source"] for cell in read_notebook(NOTEBOOK).cells}


def test_the_real_case_is_the_one_that_is_judged() -> None:
    space: dict[str, Any] = {"torch": torch}
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(cells()["bug-code"], space)
    first, second, third = re.findall(r"tensor\((.*?)\)", said.getvalue(), re.DOTALL)
    assert first != second
    assert first.split("\n")[-1] == second.split("\n")[-1]
    assert third.strip("[] ") == first.split("\n")[-1].strip("[] ")
    query, key, value, *kept = (drawn(n, 4, seed=n) for n in (3, 3, 3, 2, 2))
    theirs = space["attend_of_a_colleague"](query, key, value, kept)
    torch.testing.assert_close(theirs, _broken(query, key, value, *kept))
    listed = dict(re.findall(r'\| `"([A-Z-]+)"` \| (.*) \|', cells()["bug-question"]))
    assert listed == BUGS


def test_the_worked_examples_come_out() -> None:
    """The numbers that the tasks tell."""

    def row(*numbers: float) -> Any:
        return torch.tensor(numbers, dtype=torch.float64)[None, None, None]

    found = ATTEND_WITH_CACHE.reference(row(0, 0), row(1, 0), row(4), row(1, 0), row(2))
    assert found[0].tolist() == [[[[3.0]]]]
    assert [[round(one, 4) for one in key] for key in found[1][0, 0].tolist()] == [
        [1.0, 0.0], [0.5403, 0.8415],
    ]  # fmt: skip
    assert "`[[1, 0], [0.5403, 0.8415]]`" in cells()["cache-task"]
    assert kv_cache_bytes(32, 8, 128, 131_072, 2) == 17_179_869_184 == 16 * 2**30
    assert "17179869184" in cells()["bytes-task"]
    assert kv_cache_bytes(2, 1, 4, 10, 2, [3, None]) == 208
    value = torch.tensor([10.0, 20.0])[None, :, None, None]
    same = torch.ones(1, 4, 1, 2)
    output = by_name("grouped_query_attention").alternatives[0](same, torch.ones(1, 2, 1, 2), value)
    assert output.flatten().tolist() == [10, 10, 20, 20]
    assert mha_to_gqa(torch.tensor([[1.0, 10.0, 3.0, 30.0]]), 1, 2).tolist() == [[2, 20]]
    one = torch.eye(2, dtype=torch.float64)
    x = torch.tensor([[[3.0, 4.0]]], dtype=torch.float64)
    matrices = (one, one, one, torch.ones(2, dtype=torch.float64), one, one, one, one)
    y = MLA_ATTENTION.reference(x, *matrices, 1, 10000.0, 0.0)
    assert [round(entry, 4) for entry in y.flatten().tolist()] == [0.8485, 1.1314]
    assert "`[[[0.8485, 1.1314]]]`" in cells()["mla-task"]
    rows = torch.tensor([[0.5, 0.5]]), torch.tensor([[0.25, 0.75], [0.5, 0.5]]), torch.tensor([0])
    assert ACCEPT_DRAFT.reference(*rows, torch.tensor([0.6, 0.9])) == [1]
    assert ACCEPT_DRAFT.reference(*rows, torch.tensor([0.4, 0.9])) == [0, 1]
    assert f"{KEPT[12, 0.5][0]:.2f}" == "0.82"
