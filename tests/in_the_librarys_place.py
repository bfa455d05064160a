"""A plugin: the library's own tests meet the parts of a mine.py in the place of its functions.

`pytest -p in_the_librarys_place --mine FILE tests/course_lib/test_softmax.py …`
"""

import functools
import importlib
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from grading.adoption.finding import read
from grading.exercises import parts

REFUSAL = "a part refuses nothing: how the library refuses is its own"
EMPTY = "what a row without a finite score gives is asked of log-sum-exp alone, and no gradient"
AT_X = (
    "what shows far from x alone, or in a function with NaN or a memory, is the library's own care"
)
DRAWS = "draws in an order and a dtype of its own; the other tests hold it to the closed form"
ONE = "the task asks for one sequence, and the library takes a batch of them"
WIDER = "half precision may be computed as it comes; the library widens it first"
#: What the library promises and the exercise does not ask for: each of these fails, and says why.
BEYOND = {
    r"test_refusals_name_(?!both_sizes\[grouped_(scores|mix)).*": REFUSAL,
    r"test_a_mask_(must_fit_the_scores|of_numbers_is_refused.*)": REFUSAL,
    r"test_an_axis_must_exist_and_hold_something\[(softmax|logsumexp|log_softmax)\]": REFUSAL,
    r"test_every_row_function_needs_a_key": REFUSAL,
    r"test_softmax_vjp_refuses_to_broadcast": REFUSAL,
    r"test_a_sink_needs_one_score_per_head": REFUSAL,
    r"test_a_model_has_a_layer.*": REFUSAL,
    r"test_nothing_to_read_gives_zeros_with_any_sink.*": EMPTY,
    r"test_rows_without_a_finite_score": EMPTY,
    r"test_gradient_is_finite_where_nothing_is_read\[(logsumexp|<lambda>[13])\]": EMPTY,
    r"test_may_attend_must_fit_the_scores.*": REFUSAL,
    r"test_(sizes_are_not_negative|masks_that_do_not_fit_are_refused)": REFUSAL,
    r"test_(a_length_lies_within_the_keys.*|what_cannot_be_judged_is_refused)": REFUSAL,
    r"test_device_is_the_inputs_or_the_one_asked_for": "a part is asked for no device",
    r"test_a_fill_that_is_not_low_enough_leaks\[-10000\.0\]": AT_X,
    r"test_(nan_that_comes|what_torch_cannot|neither_x_nor_a_buffer).*": AT_X,
    r"test_(score_variance|saturation)_equals_its_loops.*": DRAWS,
    r"test_saturation_has_its_limits": DRAWS,
    r"test_a_sequence_without_a_step_is_refused\[rnn_forward\]": REFUSAL,
    r"test_a_first_state_of_another_batch_is_refused\[rnn_forward\]": REFUSAL,
    r"test_a_(path|state)_that_cannot_be_is_refused.*": REFUSAL,
    r"test_steps_of_nothing_are_refused": REFUSAL,
    r"test_gradients_equal_their_loops.*": ONE,
    r"test_norms_of_a_batch_do_not_mix": ONE,
    r"test_the_dtype_of_the_norms_follows_the_inputs.*": ONE,
    r"test_refusals_of_a_curve_name_both_sizes.*": REFUSAL,
    r"test_a_temperature_and_a_width_are_above_zero.*": REFUSAL,
    r"test_integers_and_two_dtypes_are_refused": REFUSAL,
    r"test_align_step_refuses_what_does_not_fit": REFUSAL,
    r"test_a_(negative_number_of_merges|byte_without_a_rank)": REFUSAL,
    r"test_an_id_must_be_in_the_table.*": REFUSAL,
    r"test_hidden_and_table_must_have_one_width": REFUSAL,
    r"test_ids_of_any_integer_type\[dtype0\]": "ids come in int64",
    r"test_half_precision_is_computed_in_float32_and_rounded_once.*": WIDER,
    r"test_far_away_the_nearest_measured_place_decides\[.*-dtype[01]\]": WIDER,
    r"test_a_height_is_finite_where_squares_are_infinite.*": (
        "places are asked for as far away as their squares are finite"
    ),
    r"test_rms_norm_rounds_before_the_gain_and_gemmas_does_not": (
        "half precision may be rounded once, behind the gain; the library rounds twice"
    ),
    r"test_a_gain_or_shift_of_another_size_is_refused": REFUSAL,
    r"test_an_eps_that_cannot_be_is_refused.*": REFUSAL,
    r"test_matrices_that_do_not_fit_are_refused": REFUSAL,
    r"test_bfloat16\[silu\]": WIDER,
    r"test_(an_odd_or_empty_rotation|a_factor_below_one)_is_refused.*": REFUSAL,
    r"test_bounds_and_sizes_are_refused": REFUSAL,
    r"test_one_row_alone_has_no_axis_of_rows.*": REFUSAL,
    r"test_turns_in_the_wrong_order_are_refused\[yarn_inv_freq\]": REFUSAL,
    r"test_(other_refusals|keys_and_values_come_in_pairs)": REFUSAL,
    r"test_keys_and_values_are_not_copied_per_query_head.*": (
        "keys may be copied for each head that asks; the library's are not"
    ),
    r"test_nan_is_seen": "what a NaN in a key gives is not asked for",
    r"test_half_precision_is_rounded_once": WIDER,
    r"test_errors_name_the_numbers\[lm_loss\]": REFUSAL,
    r"test_make_qk_for_equals_its_loops\[(identity|previous token|first token)-.*": (
        "the queries may be longer or shorter; the weights that they give are tested"
    ),
}
#: How often each part was called.
CALLS: Counter[str] = Counter()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--mine", type=Path, required=True, help="a mine.py")


def pytest_configure(config: pytest.Config) -> None:
    # The laws' drawing is proven with the library; here they are asked of other functions.
    settings.register_profile("a part", settings.get_profile("course"), max_examples=15)
    settings.load_profile("a part")
    module = read(config.getoption("--mine"))
    homes = [one.part.rpartition(".")[0] for one in parts()]
    for home in homes:  # all of the library's own first: it calls its own functions
        importlib.import_module(home)
    for home, one in zip(homes, parts(), strict=True):
        setattr(
            importlib.import_module(home), one.name, counted(one.name, getattr(module, one.name))
        )


def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        CALLS[name] += 1
        return function(*arguments, **named)

    return called


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for pattern, reason in BEYOND.items():
            if re.fullmatch(pattern, item.name):
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_line(f"calls: {json.dumps(CALLS)}")
