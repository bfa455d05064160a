"""The kill table: each mistake refused by name, each right style accepted, blanks earn nothing."""

import inspect
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from blanks import blank
from observed import trials

from grading import check
from grading.asking import Live, function_of
from grading.catalogue.kill_table import (
    as_markdown,
    chapter_title,
    kill_table,
    right_answers,
    wrong_answers,
)
from grading.catalogue.lint import complaints
from grading.exercise import Exercise, Misconception, Output, Probe
from grading.exercises import all_exercises, find
from grading.verdict.case import ANSWER, REFERENCE, Case
from grading.verdict.diagnose import diagnose
from grading.verdict.finding import Finding
from grading.verdict.late_rules import gradients

EXERCISES = all_exercises()
# Some mistakes warn (x.T on four axes); a warning of the learner's code is no error of ours.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
by_name = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)

#: The mistakes that these chapters' graders must be able to name.
REQUIRED = {
    "project_qkv": "QKV-CTXQ QKV-KX QKV-SWAPKV QKV-WT QKV-SHARED",
    "attention_scores": "SC-KQ SC-ELEM SC-TALL SC-VIEW SC-AXES SC-COS SC-BATCHMIX",
    "scaled_dot_product_attention": (
        "SDPA-NOSCALE SDPA-DK SDPA-DMODEL SDPA-CONST8 SDPA-AXIS SDPA-SCALEAFTER SDPA-WTV "
        "SDPA-VNOTUSED SDPA-MASKINV SDPA-MASK0 SDPA-MASKMULT SDPA-MASKSMALL SDPA-NANROW "
        "SDPA-UNIFORMROW SDPA-TIMESROOT SDPA-VIEW SDPA-AXES SDPA-CAUSAL SDPA-DROPOUT SDPA-RENORM "
        "SDPA-FILLAFTER SDPA-MASKNAN"
    ),
    "attention": (
        "SDPA-NOSCALE SDPA-DK SDPA-DMODEL SDPA-CONST8 SDPA-AXIS SDPA-SCALEAFTER SDPA-WTV "
        "SDPA-VNOTUSED SDPA-TIMESROOT SDPA-VIEW SDPA-AXES SDPA-CAUSAL SDPA-DROPOUT"
    ),
    "attention_by_loops": "LOOP-SUMW LOOP-INITZERO LOOP-JI LOOP-TIMESROOT LOOP-DK",
    "make_qk_for": "PAT-LOWTEMP PAT-WRAP PAT-ROWCOL",
    "score_variance": "VAR-D2 VAR-SCALE",
    "weight_entropy": "ENT-0LOG0 ENT-LOG2 ENT-AXIS",
    "saturation": "SAT-NOSCALE SAT-MEAN",
    "softmax_scale": "SCL-DMODEL SCL-YARNONCE SCL-HEADDIM",
    "softmax": "SM-OVERFLOW SM-GLOBALMAX SM-AXISFIXED SM-NOKEEP SM-INPLACE",
    "logsumexp": "LSE-NAIVE LSE-FORGETMAX LSE-NEGINF",
    "log_softmax": "LSE-NAIVE LSE-LOGSOFT",
    "softmax_vjp": "VJP-DIAG VJP-NOSUM VJP-AXIS VJP-JT",
    "softmax_with_sink": (
        "SINK-KEEP SINK-NOEFFECT SINK-NOEXP SINK-ZERO SINK-MAX SINK-HEADAXIS"
    ),
    "test_softmax": (
        "TEST-NOTHING TEST-ALL TEST-EXACT TEST-SHAPE TEST-SUMS TEST-SMALL TEST-ONEROW TEST-ONEAXIS"
    ),
    "rnn_forward": (
        "RNN-H0 RNN-SHIFT RNN-WT RNN-TANHTWICE RNN-NOTANH RNN-REUSE RNN-INPLACE RNN-NOSTATE"
    ),
    "state_jacobian_norms": (
        "JAC-ORDER JAC-NODIAG JAC-H2 JAC-OFF1 JAC-NORMPROD JAC-FRO JAC-EIG JAC-WT"
    ),
    "path_length": "PATH-OFF1 PATH-CONVLOG PATH-ATT0 PATH-KERNEL",
    "sequential_ops": "OPS-CONFUSE",
    "copy_capacity": "CAP-LOG CAP-TOK CAP-CEIL",
    "lstm_step": "LSTM-ORDER LSTM-TANHO LSTM-CFORGET LSTM-HC LSTM-SIGMOIDG LSTM-ROWS",
    "gradient_growth": "GROWTH-FRESH GROWTH-MEANFIRST GROWTH-NOROOT",
    "test_rnn_forward": (
        "TEST-NOTHING TEST-ALL TEST-EXACT TEST-SHAPE TEST-LASTROW TEST-ONESTEP TEST-ZEROSTART "
        "TEST-SYMMETRIC"
    ),
    "causal_mask": "MASK-STRICT MASK-FUTURE MASK-TOPLEFT MASK-OFF1 MASK-SQUARE",
    "padding_mask": "PAD-INCL PAD-QUERY PAD-BCAST PAD-LEFT",
    "combine": "PAD-OR",
    "masked_softmax": "ROW-NAN ROW-UNIFORM ROW-MULT ROW-FP16 ROW-INPLACE",
    "leak_matrix": "LEAK-DIAGONLY LEAK-CUMUL LEAK-TINY LEAK-TRANSP",
    "document_mask": "PACK-NOCAUSAL PACK-ADJ PACK-REUSEID PACK-POS",
    "test_masked_softmax": (
        "TEST-NOTHING TEST-ALL TEST-EXACT TEST-NOMASK TEST-NOEMPTY TEST-MILD TEST-HALF TEST-ROWSUMS"
    ),
    "inputs_that_catch": "INPUTS-EQUAL INPUTS-SMALL",
    "inputs_for_attention": "INPUTS-EQUAL INPUTS-NOMASK INPUTS-NOEMPTY INPUTS-MILD",
    "hard_lookup": "HARD-FARTHEST HARD-DOT HARD-LAST HARD-KEYS HARD-AXIS",
    "soft_lookup": (
        "LOOK-DISTSIGN LOOK-TEMPMUL LOOK-NONORM LOOK-KEYS LOOK-ROOT LOOK-AXIS LOOK-UNDERFLOW"
    ),
    "kernel_regression": "NW-WIDTH NW-AXIS NW-SQRT NW-UNDERFLOW NW-TIMES NW-ZEROFAR",
    "additive_scores": "ADD-CAT ADD-BCAST ADD-NOV ADD-TANHOUT ADD-SOFTMAX ADD-NOTANH",
    "align_step": (
        "ALIGN-PADZERO ALIGN-PADSCORE0 ALIGN-LEN0 ALIGN-INCL ALIGN-NOMASK ALIGN-PROJECTED"
    ),
    "test_soft_lookup": "TEST-SHAPE TEST-HULL TEST-ONETEMP TEST-NEAR TEST-SELF",
    "split_heads": "SPLIT-VIEW SPLIT-INTERLEAVE SPLIT-HD SPLIT-BH",
    "merge_heads": "MERGE-NOTRANSP",
    "multi_head_attention": (
        "MHA-SCALED MHA-NOWO MHA-SPLITIN MHA-MASKDROP MHA-MASKHEAD MHA-AVG MHA-WOT SPLIT-VIEW "
        "MERGE-NOTRANSP"
    ),
    "cross_attention": "QKV-CTXQ MASK-SQUARE XATT-OUTS",
    "head_contribution": "CONTRIB-BIASH CONTRIB-WOROW CONTRIB-REST",
    "mha_param_count": "CNT-TIMESH CNT-DHEAD",
    "mha_flops": "CNT-MAC CNT-NOQK CNT-TIMESH CNT-DHEAD",
    "count_gpt3": "GPT3-LAYERS GPT3-EMB GPT3-PEROHEAD",
    "is_permutation_equivariant": "EQ-INV EQ-INPONLY EQ-IDPERM EQ-INVERSE",
    "sinusoidal": "PE-EXP PE-CAT PE-DEG PE-POS1 PE-ODD PE-SWAP",
    "rope": (
        "ROPE-INTERLEAVE ROPE-SIGN ROPE-IGNOREPOS ROPE-FREQ ROPE-HALFDTYPE ROPE-TABLES ROPE-NOMINUS"
    ),
    "rope_attention": "ROPE-ONV ROPE-ONEK ROPE-BEFORESPLIT ROPE-AXIS",
    "alibi_bias": "ALIBI-SIGN ALIBI-SLOPES ALIBI-H0 ALIBI-ALIGN ALIBI-REVERSED",
    "alibi_scores": "ALIBI-SCALE",
    "yarn_inv_freq": (
        "YARN-INVERT YARN-FLOOR YARN-SWAPAB YARN-NOCONC YARN-LINEAR YARN-LOG2 YARN-WAVELENGTH "
        "YARN-SQUARED"
    ),
    "yarn_scores": "YARN-CONCONCE YARN-NOCONC",
    "test_rope": (
        "TEST-NOTHING TEST-ALL TEST-EXACT TEST-LENGTHS TEST-COUNTED TEST-ONEBASE TEST-ONEPAIR "
        "TEST-WIDE"
    ),
    "silu": "SILU-SIG SILU-GELU SILU-OVERFLOW SILU-NANGRAD",
    "rms_norm": (
        "RMS-MEAN RMS-EPSOUT RMS-SUM RMS-AXIS RMS-DTYPE RMS-VAR RMS-NOEPS RMS-TIMES RMS-UNIT "
        "RMS-NOGAIN"
    ),
    "layer_norm": (
        "LN-UNBIASED LN-NOCENTRE LN-RMS LN-EPSOUT LN-AXIS LN-DTYPE LN-NOSHIFT LN-SHIFTFIRST"
    ),
    "swiglu": "SWI-GATESWAP SWI-SIG SWI-GELU SWI-ADD SWI-PRODUCT SWI-NOUP",
    "gated_d_ff": "FFN-84 FFN-HALF FFN-DOWN",
    "block": (
        "BLK-POST BLK-NORES BLK-NORMRES BLK-ORDER BLK-SHARENORM BLK-XAGAIN BLK-NONORM BLK-NORMQ "
        "BLK-FINAL MHA-MASKDROP MHA-MASKHEAD SWI-GATESWAP RMS-EPSOUT"
    ),
    "encoder_decoder": (
        "ED-KVTGT ED-NOCAUSAL ED-NOSHIFT ED-MASKMEM ED-ENCCAUSAL ED-ENCPAD ED-SHIFT2 ED-ROLLED "
        "ED-CROSSCAUSAL"
    ),
    "test_rms_norm": (
        "TEST-NOTHING TEST-ALL TEST-EXACT TEST-SHAPES TEST-ONEGAIN TEST-LARGEONLY TEST-WIDEONLY"
    ),
    "test_split_heads": (
        "TEST-NOTHING TEST-ALL TEST-EXACT TEST-PLACES TEST-ONESHAPE TEST-ONETOKEN"
    ),
    "all_on_one": "ONE-FROMONE ONE-LARGEST ONE-SOFTMAX",
    "merge_pair": "BPE-OVERLAP BPE-ONEPASS BPE-RIGHTLEFT",
    "bpe_train": (
        "BPE-TIE BPE-BYTEORDER BPE-OVERLAP BPE-COUNTOVERLAP BPE-CHARS BPE-NOSPLIT BPE-FREQ "
        "BPE-ONEPASS BPE-MINFREQ BPE-COUNTONCE"
    ),
    "bpe_encode": "BPE-LONGEST BPE-ONEPASS BPE-FREQUENT BPE-LEFTMOST BPE-CHARS BPE-BYTEID",
    "test_bpe_encode": "TEST-NOTHING TEST-ALL TEST-ROUNDTRIP TEST-ASCII TEST-ONEWORD",
    "embed": "EMB-ONEHOTT EMB-SCALE EMB-UNTIED",
    "unembed": "EMB-ONEHOTT EMB-SCALE EMB-UNTIED",
    "sum_is_order_blind": "ORDER-SAME ORDER-OTHERS",
    "attend_with_cache": (
        "KV-TOPLEFT KV-NOMASKCHUNK KV-POS0 KV-ROPETWICE KV-AXIS KV-ALIAS KV-ORDER KV-STALE "
        "KV-KEEPRAW KV-POSOFF ROPE-INTERLEAVE"
    ),
    "test_attend_with_cache": (
        "TEST-NOTHING TEST-ALL TEST-EXACT TEST-ONETOKEN TEST-EMPTYCACHE TEST-OUTPUTALONE TEST-SELF"
    ),
    "grouped_query_attention": (
        "GQA-TILE GQA-TRUNC GQA-MEAN GQA-AXIS GQA-DIVG GQA-TORN GQA-ORDER"
    ),
    "kv_cache_bytes": "KVB-FORGETV KVB-H KVB-D KVB-WINDOW KVB-LONG",
    "mha_to_gqa": "UP-SUM UP-STRIDE UP-FIRST",
    "mla_attention": (
        "MLA-SCALE MLA-ROPELATENT MLA-SHAREROPE MLA-NONORM MLA-LATENTSCALE ROPE-INTERLEAVE"
    ),
    "accept_draft": (
        "SPEC-RATIO SPEC-RESAMPLE SPEC-GREEDY SPEC-NOBONUS SPEC-GOON SPEC-UNNORM SPEC-ALL"
    ),
    "surprise": "SUR-OVERFLOW SUR-FLOOR SUR-LOG2 SUR-AXIS",
    "lm_loss": (
        "LOSS-NOSHIFT LOSS-SHIFT2 LOSS-PADCOUNT LOSS-SUM LOSS-PROBS LOSS-BATCHMEAN LOSS-BACK "
        "LOSS-FLAT LOSS-ROLLED LOSS-MASKREAD LOSS-FIRSTCOUNTED LOSS-UNDERFLOW"
    ),
    "test_lm_loss": (
        "TEST-NOTHING TEST-ALL TEST-EXACT TEST-SHAPES TEST-FALLS TEST-NOPAD TEST-ALIKE TEST-MILD "
        "TEST-ONETEXT"
    ),
    "first_loss": "FIRST-STD FIRST-LNV FIRST-LOG2 FIRST-ENTROPY",
    "train_step": (
        "TRAIN-ZEROGRAD TRAIN-LEAK TRAIN-EVAL TRAIN-NOSTEP TRAIN-CLEARED TRAIN-LOSSAFTER "
        "TRAIN-NOSHIFT TRAIN-IGNORE"
    ),
    "finetune_step": "FT-ALL FT-DECAY FT-GRADS FT-NAME FT-OPTIMISER TRAIN-ZEROGRAD TRAIN-EVAL",
    "generate": (
        "GEN-FIRST GEN-TEMPMUL GEN-TOPKZERO GEN-TOPKTIES GEN-CTX GEN-T0 GEN-STALE GEN-KOFF "
        "GEN-GLOBAL GEN-SHARED GEN-TEMPTWICE"
    ),
    "fit_power_law": "FIT-LINEAR FIT-NOIRREDUCIBLE FIT-LOGBASE FIT-SMALLEST FIT-SIGN",
}  # fmt: skip


def cases() -> list[Any]:
    return [
        pytest.param(exercise, who, id=f"{exercise.name}-{who[0]}-{who[1]}")
        for exercise in EXERCISES
        for who in wrong_answers(exercise)
    ]


@pytest.mark.parametrize(("exercise", "who"), cases())
def test_a_mistake_is_refused_under_its_own_name(exercise: Exercise, who: tuple[str, int]) -> None:
    code = who[0]
    result = check(function_of(exercise, who), exercise=exercise.name)
    assert not result.passed
    assert result.points == 0
    assert result.misconception == code
    assert code in str(result)  # as a label: no sentence holds a code
    assert code in result.html


@by_name
def test_no_mistake_is_taken_for_another(exercise: Exercise) -> None:
    """Each code alone: with the true owner of a behaviour removed, nobody else claims it."""
    for owner in exercise.misconceptions:
        if owner.shows in ("cost", "inputs", "generator"):
            continue
        others = tuple(m for m in exercise.misconceptions if m is not owner)
        reduced = replace(exercise, misconceptions=others)
        for number in range(1 + len(owner.also)):
            # What the owner does is known; only the catalogue that it is compared with is smaller.
            case = Case(reduced, Live(exercise, (owner.code, number)))
            claimed = _named_by(case, owner.shows)
            assert claimed is None, f"{owner.code}, {number} would be called {claimed}"


def _named_by(case: Case, stage: Any) -> str | None:
    seen, right = trials(case)
    flowing = [grads for grads in gradients(case, ANSWER) if grads is not None]
    finding = Finding("", "", stage, gradients=flowing)
    with np.errstate(all="ignore"):
        found = diagnose(case, finding, seen, seen if case.exercise.judge is not None else right)
    return "+".join(mistake.code for mistake in found) or None


@by_name
def test_right_answers_in_other_styles_pass(exercise: Exercise) -> None:
    assert len(exercise.alternatives) >= 2
    for who in right_answers(exercise):
        result = check(function_of(exercise, who), exercise=exercise.name)
        assert result.passed, str(result)
        assert result.points == result.max_points == exercise.points


@by_name
def test_a_blank_earns_nothing(exercise: Exercise) -> None:
    result = check(blank(exercise))
    assert (result.passed, result.points) == (False, 0)
    assert result.rule == "it is filled in"


@by_name
def test_the_probes_can_show_the_mistakes(exercise: Exercise) -> None:
    assert complaints(exercise) == []


def test_every_required_mistake_is_in_the_catalogue() -> None:
    for name, codes in REQUIRED.items():
        exercise = find(name)
        assert exercise is not None, name
        known = {mistake.code for mistake in exercise.misconceptions}
        assert set(codes.split()) <= known, name


@by_name
def test_the_reference_takes_the_contract_and_the_librarys_own_earns_nothing(
    exercise: Exercise,
) -> None:
    inspect.signature(exercise.reference).bind(*exercise.parameters)
    result = check(function_of(exercise, REFERENCE), exercise=exercise.name)
    if re.search(r"\b(library|attention|naive)\.", inspect.getsource(exercise.reference)):
        assert result.rule == "the work is your own"
        assert result.points == 0
    else:
        assert result.passed or result.rule == "the work is your own"


def test_the_linter_refuses_sizes_that_coincide_and_blind_probes() -> None:
    import torch

    def draw(generator: torch.Generator) -> dict[str, Any]:
        return {"x": torch.ones(3, 3, dtype=torch.float64)}

    bad = Exercise(
        name="bad", slug="softmax", task="bad", title="Bad", kind="implement", points=1.0,
        difficulty=1, importance=1, minutes=1, parameters=("x",),
        outputs=(Output(name="y", axes="T S"),), reference=lambda x: x.softmax(-1),
        probes=(Probe(name="square", draw=draw, sizes={"T": 3, "S": 3}),
                Probe(name="window", draw=draw, sizes={"T": 4, "W": 2})),
        misconceptions=(Misconception(code="B-AXIS", sentence="The axis.",
                                      wrong=lambda x: x.softmax(0)),),
        alternatives=(), equation="eq-softmax",
    )  # fmt: skip
    text = "\n".join(complaints(bad))
    assert "sizes coincide" in text
    assert "not longer than two windows" in text
    assert "B-AXIS: only 0.0 tolerances away" in text
    assert "two right answers" in text


def test_the_page_counts_what_was_refused() -> None:
    softmax = find("softmax")
    assert softmax is not None
    rows = kill_table([softmax])
    assert all(row.killed for row in rows)
    page = as_markdown(rows)
    assert f"**{len(rows)} of {len(rows)}** wrong functions were refused by name" in page
    assert "| `SM-GLOBALMAX` |" in page
    assert "## Softmax\n" in page
    assert f"### A stable softmax\n\n`softmax`, {softmax.points:g} point" in page


def test_there_is_no_page_when_a_mistake_is_accepted_or_called_by_another_name() -> None:
    softmax = find("softmax")
    assert softmax is not None
    rows = kill_table([softmax])
    first = rows[0]
    for wrong in (replace(first, refused=False), replace(first, named="SM-OTHER")):
        with pytest.raises(ValueError, match=rf"{len(rows) - 1} of {len(rows)}.*{first.code}"):
            as_markdown([wrong, *rows[1:]])


def test_there_is_no_page_when_a_right_answer_is_refused() -> None:
    softmax = find("softmax")
    assert softmax is not None
    spoilt = replace(softmax, alternatives=(softmax.misconceptions[0].wrong,))
    rows = [replace(row, exercise=spoilt) for row in kill_table([softmax])]
    with pytest.raises(ValueError, match="0 of 1 were"):
        as_markdown(rows)


def test_a_chapter_is_called_by_its_title_and_one_point_is_one() -> None:
    assert chapter_title("scaling") == "Scaling"
    assert chapter_title("queries-keys-values") == "Queries, keys and values"
    assert chapter_title("not-written-yet") == "not-written-yet"
    logsumexp = find("logsumexp")
    assert logsumexp is not None
    assert "`logsumexp`, 1 point." in as_markdown(kill_table([logsumexp]))
