"""Who may import whom, and what every public function must have: a twin, an oracle, a place."""

import ast
import re
import sys
from pathlib import Path

import pytest
from built_site import chapters
from library import (
    LIBRARY,
    ROOT,
    functions,
    imports,
    lines_of_code,
    module_name,
    parameters,
    public_functions,
    public_names,
    rooms,
    sources,
    tree,
    used_names,
)

from course_lib.notation import SIZES
from grading.exercises import parts

ORDER = rooms()
NAIVE = sources(LIBRARY / "naive")
#: Scripts that write the committed arrays: run by hand and by the tests, imported by no room.
SCRIPTS = sources(LIBRARY / "data")
ROOMS = [path for path in sources() if path not in NAIVE and path not in SCRIPTS]
PAGES = [path for path in sources(LIBRARY / "on_one_page") if path.stem != "__init__"]
THIRD_PARTY = {"numpy", "torch", "jaxtyping", "regex", "safetensors", "tqdm"}
DRAWING = {"matplotlib", "altair", "vl_convert", "PIL"}
#: A module that may need one more package, and is imported without it.
OPTIONAL = {"course_lib.exact.triton_forward": {"triton"}}
#: A kernel takes its sizes one by one, and a compiler reads it whole.
KERNELS = {"course_lib.exact.triton_forward._attend"}

#: Functions, or whole modules, without a twin in loops: the reason.
WITHOUT_TWIN = {
    "course_lib.notation": "it looks words up; there is no formula",
    "course_lib.trained.heads": "it reads arrays and calls attention, which has a twin",
    "course_lib.trained.speeches": "it reads arrays and calls attention, which has a twin",
    "course_lib.trained.released_tokens": "it reads texts and ids, and computes nothing",
    "course_lib.trained.reversers": "it reads arrays and runs networks whose steps have twins",
    "course_lib.trained.layer": "it reads arrays and computes nothing",
    "course_lib.trained.digits": "it reads arrays and computes nothing",
    "course_lib.trained.induction": "it reads arrays and computes nothing",
    "course_lib.trained.next_tokens": "it reads arrays and computes nothing",
    "course_lib.trained.atom_map": "it reads arrays and calls attention, which has a twin",
    "course_lib.plotting": "a drawing has no formula; its tests compare what is drawn",
    "course_lib.shapes": "it refuses; the tests of its callers match what it says",
    "course_lib.kinds": "it refuses; the tests of its callers match what it says",
    "course_lib.attention.fitting": "it refuses; the tests of its callers match what it says",
    "course_lib.masks.require_mask": "it refuses; the tests of its callers match what it says",
    "course_lib.precision": "it changes a dtype, and NumPy's twins have one alone",
    "course_lib.tokenizer.vocabulary.load_ranks": "it reads a file; there is no formula",
    "course_lib.tokenizer.vocabulary.gpt2_tokenizer": "it names the parts, which have twins",
    "course_lib.tokenizer.vocabulary.o200k_harmony_tokenizer": "it names the parts, which have "
    "twins",
    "course_lib.tokenizer.harmony": "a format, which openai-harmony has; there is no formula",
    "course_lib.tokenizer.harmony_texts": "see harmony",
    "course_lib.tokenizer.harmony_functions": "see harmony",
    "course_lib.layers.embedding.require_drawn": "it refuses; the models' tests match its words",
    "course_lib.cache.buffer": "it refuses and copies; the caches' tests match words and bytes",
    "course_lib.sizes": "it refuses; the tests of its callers match its words",
    "course_lib.model.padded_reading": "it refuses; the tests of prompts match its words",
    "course_lib.positions.rotation_table.require_frequencies": "it refuses; tests match its words",
    "course_lib.tokenizer.pre_tokens.require_text": "it refuses; the tokenizer's tests match it",
    "course_lib.recurrence.seq2seq.draw": "it draws; its test matches bounds, seed and spread",
    "course_lib.trained.pronouncer": "it reads arrays and calls the GRU, which has a twin",
    "course_lib.trained.spoken_words": "it reads a file; there is no formula",
    "course_lib.model.blocks": "it picks a class; the tests write each class's formula once more",
    "course_lib.model.encoder.sequence_mask": "padding_mask, which has a twin, with one more axis",
    "course_lib.generation.translation": "a loop around a model; compared with a plain re-run",
    "course_lib.model.attention_modules.choice": "it picks a class; the attentions have twins",
    "course_lib.model.feed_forward_modules": "it picks a class; the networks have twins",
    "course_lib.model.norm_modules": "it picks a class; the norms have twins",
    "course_lib.model.rotary": "it picks a function; the functions have twins",
    "course_lib.model.initialise": "it draws, and it counts; there is no formula to write slowly",
    "course_lib.generation.logits.require_choice": "it refuses; the tests of its callers match it",
    "course_lib.generation.choice.sampler": "it puts functions together that have twins",
    "course_lib.generation.choice.each_its_own": "it hands each row to a function that has a twin",
    "course_lib.generation.writing": "loops around a model; compared with transformers' own",
    "course_lib.generation.prompts": "see writing; and with each prompt alone",
    "course_lib.on_one_page": "it is itself the plain version of a model; compared with two others",
    "course_lib.efficient.performer.orthogonal_projections": "random by design: its tests measure "
    "angles and moments",
    "course_lib.efficient.sparse_masks.random_mask": "random by design: its tests read every "
    "row by its rule",
    "course_lib.training.accumulation.accumulate_gradients": "a loop around a model; compared with "
    "one batch",
    "course_lib.training.batch": "it rearranges; there is no formula",
    "course_lib.training.loop.train": "a loop around a model; compared with one by hand",
    "course_lib.training.models": "sizes and first weights",
    "course_lib.training.recipes": "tasks, models and budgets put together",
    "course_lib.training.tasks": "random by design; their tests read every row by its rule",
    "course_lib.training.text.text_batch": "random passages of a text",
    "course_lib.counts.attention": "sums of integers; see counts.decoder",
    "course_lib.counts.feed_forward": "sums of integers; see counts.decoder",
    "course_lib.counts.norms": "sums of integers; see counts.decoder",
    "course_lib.counts.decoder": "sums of integers; a second count takes every tensor of the model "
    "itself",
    "course_lib.counts.classifier": "sums of integers; see counts.decoder",
    "course_lib.labelling.spans": "a rule on words, whose tests read every row; no formula",
    "course_lib.labelling.personal_data": "it puts parts together, of which best_path has a twin",
    "course_lib.zoo": "sums of integers; a second count takes every tensor of the model itself",
    "course_lib.checkpoints": "it renames; there is no formula",
    "course_lib.exact.blockwise_forward.blockwise_forward": "flash_forward and blockwise_attention "
    "call it, which have twins",
    "course_lib.exact.blockwise_backward": "a gradient; compared with those of two plain forms",
    "course_lib.exact.once": "it refuses; the tests of its callers match its words",
    "course_lib.exact.triton_forward": "blockwise_attention, which has a twin, is its own",
    "course_lib.exact.ring": "processes; compared with one process's attention and its gradients",
    "course_lib.processes": "it starts and sends; there is no formula",
    "course_lib.experts.fitting": "it refuses; the tests of its callers match its words",
    "course_lib.experts.routed": "the mixtures call it, which have twins",
    "course_lib.experts.parallel": "processes; compared with through_experts in one",
}
#: Functions, or whole modules, that no oracle names: the reason.
WITHOUT_ORACLE = {
    "course_lib.exact.once": "it refuses; nobody else has these words",
    "course_lib.exact.ring": "all its ranks together are compared with the fused kernel",
    "course_lib.exact.shards.ring_schedule": "an order; the ring that follows it has an oracle",
    "course_lib.exact.shards.shard": "it cuts; the ring that holds the parts has an oracle",
    "course_lib.exact.shards.tiles_of_rank": "it counts, judged by its twin and by its sum",
    "course_lib.processes.neighbours": "torch.distributed; its tests stall and mislead ranks",
    "course_lib.processes.exchange": "torch.distributed; the experts that use it are compared",
    "course_lib.experts.fitting": "it refuses; nobody else has these words",
    "course_lib.experts.parallel": "its ranks are compared with through_experts, which has one",
    "course_lib.experts.routed.require_routed": "it refuses; nobody else has these words",
    "course_lib.experts.balance.bias_update": "the step of a sign; judged by its twin and by the "
    "balance that it brings",
    "course_lib.experts.balance.max_violation": "one quotient; judged by its twin and its limits",
    "course_lib.notation": "it looks words up; nobody else has this alphabet",
    "course_lib.trained.reversers": "the course's own models; their classes have oracles",
    "course_lib.trained.induction": "the course's own model; its class has oracles",
    "course_lib.trained.next_tokens": "the course's own model, of which the logits are kept",
    "course_lib.trained.digits": "images: a test writes the file that they come from once more",
    "course_lib.trained.speeches": "the course's own models; a test writes their layers once more",
    "course_lib.plotting": "a drawing; the browser tests compare it with the numbers drawn",
    "course_lib.shapes": "it refuses; the tests of its callers match what it says",
    "course_lib.kinds": "it refuses; the tests of its callers match what it says",
    "course_lib.attention.fitting": "it refuses; the tests of its callers match what it says",
    "course_lib.masks.require_mask": "it refuses; the tests of its callers match what it says",
    "course_lib.precision": "it changes a dtype; what is computed in it has oracles",
    "course_lib.cache.buffer": "it refuses and copies; the caches have oracles",
    "course_lib.sizes": "it refuses; nobody else has these words",
    "course_lib.model.padded_reading": "it refuses; nobody else has these words",
    "course_lib.positions.rotation_table.require_frequencies": "it refuses; see above",
    "course_lib.tokenizer.pre_tokens.require_text": "it refuses; see above",
    "course_lib.generation.logits.require_choice": "it refuses; nobody else has these words",
    "course_lib.generation.choice.each_its_own": "it hands each row to a function with an oracle",
    "course_lib.generation.prompts.continue_prompts_until": "continue_until, which has an oracle, "
    "without what fills its rows up",
    "course_lib.layers.embedding.require_drawn": "it refuses; see above",
    "course_lib.layers.affine": "x @ w + b; the modules that call it are compared with PyTorch's",
    "course_lib.model.encoder.sequence_mask": "padding_mask, which has an oracle, one axis more",
    "course_lib.generation.translation": "a loop around a model that is compared with PyTorch's",
    "course_lib.model.attention_modules.choice": "it picks a class; see blocks",
    "course_lib.model.feed_forward_modules": "it picks a class; see blocks",
    "course_lib.model.norm_modules": "it picks a class; see blocks",
    "course_lib.efficient.performer.orthogonal_projections": "random by design: judged by angles, "
    "by moments and by what it estimates",
    "course_lib.efficient.sparse_masks.random_mask": "random by design: its tests read every "
    "row by its rule, and count",
    "course_lib.training.batch": "it rearranges",
    "course_lib.training.models": "sizes and first weights; whole models have oracles",
    "course_lib.training.recipes.follow": "it draws, trains and tests; judged by what is learnt",
    "course_lib.training.recipes.byte_recipe": "sizes; judged by what is learnt",
    "course_lib.training.tasks": "random by design; their tests read every row by its rule",
    "course_lib.training.text.text_batch": "random passages of a text",
    "course_lib.zoo.gpt": "sizes; the counts and the tiny models made of them have oracles",
    "course_lib.zoo.gemma": "sizes; see gpt",
    "course_lib.zoo.olmo": "sizes; see gpt",
    "course_lib.zoo.llama4": "sizes; see gpt",
    "course_lib.zoo.qwen3_next.qwen3_next_layers": "sizes; see gpt",
    "course_lib.zoo.vaswani.vaswani_config": "sizes; the count has an oracle",
    "course_lib.checkpoints.names.under_new_names": "from_bert and from_gpt2 call it; see gpt2",
    "course_lib.checkpoints.mixtures": "from_llama calls it for three models of transformers",
    "course_lib.counts.paths.sequential_ops": "T or 1; judged by its twin's schedule",
    "course_lib.counts.traffic": "one sum; judged by a walk over all loads and by the theorem",
    "course_lib.counts.capacity": "one quotient; judged by counting all sequences and states",
    "course_lib.counts.feed_forward.active_feed_forward_parameters": "a summand of "
    "active_parameters, which has an oracle",
    "course_lib.checkpoints.gpt2": "tests/tiny_models.py loads every model that is compared by it",
    "course_lib.checkpoints.falcon": "see gpt2",
    "course_lib.checkpoints.deepseek": "see gpt2",
    "course_lib.checkpoints.mpt": "see gpt2",
    "course_lib.checkpoints.qwen3_next": "see gpt2",
    "course_lib.checkpoints.bloom": "see gpt2",
    "course_lib.checkpoints.gpt_neox": "see gpt2",
    "course_lib.checkpoints.interleaved": "see gpt2",
    "course_lib.checkpoints.phi": "see gpt2",
    "course_lib.checkpoints.renaming": "see gpt2",
    "course_lib.checkpoints.gpt_oss": "compared with from_llama, which has an oracle",
    "course_lib.checkpoints.gpt_oss.fused_attention": "see gpt_oss_parts, which calls it",
    "course_lib.checkpoints.loading.load_parts": "what it fills is compared with load_state_dict",
    "course_lib.checkpoints.loading.fill": "see load_parts",
    "course_lib.checkpoints.loading.put": "see load_parts",
    "course_lib.labelling.spans": "a grammar of released labels: its tests read every row once "
    "more, by the row's whole shape",
    "course_lib.labelling.personal_data": "it puts parts together; its tests count characters",
    "course_lib.scaling.score_variance": "random by design: judged by the closed form scale² · D "
    "and, draw for draw, by its twin",
    "course_lib.scaling.saturation": "random by design: judged by published means, its limits "
    "and, draw for draw, by its twin",
}


def reason(path: Path, name: str, table: dict[str, str]) -> str | None:
    module = module_name(path)
    keys = (f"{module}.{name}", module, ".".join(module.split(".")[:2]))
    return next((table[key] for key in keys if key in table), None)


def identify(value: object) -> str:
    return module_name(value) if isinstance(value, Path) else str(value)


def room(name: str) -> str:
    """The room of a module: course_lib.plotting.live is in plotting."""
    return name.split(".")[1]


#: What an exercise asks for has its arguments, one tensor each: an answer stands in its place.
PARTS = frozenset(one.part for one in parts())
EVERY_FUNCTION = [(path, name) for path in ROOMS for name in public_functions(path)]


# Who may import whom


def test_the_rooms_are_those_of_the_design() -> None:
    found = {room(module_name(path)) for path in ROOMS if path != LIBRARY / "__init__.py"}
    assert found | {"naive"} == set(ORDER)
    assert len(ORDER) == len(set(ORDER))
    assert PAGES
    assert len(EVERY_FUNCTION) > 20


@pytest.mark.parametrize("path", ROOMS, ids=identify)
def test_a_room_imports_only_from_the_lines_above_its_own(path: Path) -> None:
    if path == LIBRARY / "__init__.py":
        assert not imports(path)
        return
    own = room(module_name(path))
    above = set(ORDER[: ORDER.index(own)])
    for name in imports(path):
        top = name.split(".")[0]
        if top == "course_lib":
            inside = room(name) == own and path.parent != LIBRARY
            assert room(name) in above or inside, f"{own} stands above {name} in DESIGN.md"
        elif top not in sys.stdlib_module_names:
            allowed = THIRD_PARTY | (DRAWING if own == "plotting" else set())
            allowed |= OPTIONAL.get(module_name(path), set())
            assert top in allowed, f"{own} imports {name}"


@pytest.mark.parametrize("path", PAGES, ids=identify)
def test_a_page_stands_alone(path: Path) -> None:
    assert {name.split(".")[0] for name in imports(path)} <= {
        "collections",
        "jaxtyping",
        "math",
        "torch",
    }
    assert not any(isinstance(node, ast.ClassDef) for node in ast.walk(tree(path)))
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 105


def test_only_plotting_draws() -> None:
    for path in [*sources(), *sources(ROOT / "grading")]:
        drawing = {name.split(".")[0] for name in imports(path)} & (DRAWING - {"IPython"})
        inside = path.is_relative_to(LIBRARY / "plotting")
        assert inside or not drawing, f"{module_name(path)} imports {drawing}"


@pytest.mark.parametrize("path", NAIVE, ids=identify)
def test_a_twin_never_sees_torch_nor_what_it_judges(path: Path) -> None:
    own = module_name(path).removeprefix("course_lib.naive.")
    for name in imports(path):
        top = name.split(".")[0]
        if top == "course_lib":
            assert name.startswith("course_lib.naive."), f"{own} imports {name}"
            twin = name.removeprefix("course_lib.naive.")
            above = ORDER.index(twin.split(".")[0]) < ORDER.index(own.split(".")[0])
            package = path.parent != LIBRARY / "naive" and twin.split(".")[0] == own.split(".")[0]
            assert above or (package and twin != own), f"{own} stands above {twin}"
        else:
            allowed = {"math", "numpy", "jaxtyping", "unicodedata"}
            assert top in allowed or name == "collections.abc", f"{own} imports {name}"
    products = {"dot", "matmul", "einsum", "inner", "tensordot", "vdot", "vecdot", "linalg"}
    for node in ast.walk(tree(path)):
        operator = getattr(node, "op", None)
        assert not isinstance(operator, ast.MatMult), f"{own} has no loop at line {node.lineno}"
        called = node.attr if isinstance(node, ast.Attribute) else None
        assert called not in products, f"{own} calls np.{called}"


def test_the_engine_and_the_scripts_are_not_imported_by_the_library() -> None:
    for path in sources():
        for name in imports(path):
            assert not re.match(r"(grading|tests|book)\b", name), f"{module_name(path)}: {name}"
            if path not in SCRIPTS:  # which may share how they read a package
                assert not name.startswith("course_lib.data"), f"{module_name(path)}: {name}"
    # The engine reaches the library late, where a function of an exercise runs.
    texts = [path.read_text(encoding="utf-8") for path in sources(ROOT / "grading" / "exercises")]
    assert sum('late("course_lib.' in text for text in texts) > 10


# How modules are written


@pytest.mark.parametrize("path", sources(), ids=identify)
def test_a_module_is_small_and_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(tree(path)), "a module starts with one line on its idea"
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 250  # docstrings included
    assert path.stem not in {"utils", "common", "helpers"}
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef) and f"{module_name(path)}.{node.name}" not in KERNELS:
            assert lines_of_code(node) <= 30, f"{node.name} is long"
    for name, node in functions(path).items():
        if f"{module_name(path)}.{name}" in KERNELS:
            continue
        if f"{module_name(path).replace('.naive.', '.')}.{name}" not in PARTS:
            assert len(parameters(node)) <= 6, f"{name} has {len(parameters(node))} arguments"
    text = path.read_text(encoding="utf-8")
    assert "from __future__ import annotations" not in text  # the annotations are executed
    assert not re.search(r"^from .* import \*", text, re.MULTILINE)
    if path not in SCRIPTS:
        assert "print" not in used_names(path), "a library does not print"


@pytest.mark.parametrize("path", sources(ROOT / "book" / "_ext"), ids=identify)
def test_a_part_of_the_site_is_small_too(path: Path) -> None:
    """Sphinx says how many arguments it hands over, and a build prints."""
    assert ast.get_docstring(tree(path)), "a module starts with one line on its idea"
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 250
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef):
            assert lines_of_code(node) <= 30, f"{node.name} is long"


@pytest.mark.parametrize("path", [*ROOMS, *NAIVE], ids=identify)
def test_public_is_what_all_lists(path: Path) -> None:
    if path.stem == "__init__":
        return
    defined = {
        name
        for node in tree(path).body
        for name in (
            [node.name]
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
            else [ast.unparse(target) for target in node.targets]
            if isinstance(node, ast.Assign)
            else [ast.unparse(node.target)]
            if isinstance(node, ast.AnnAssign)
            else []
        )
    }
    listed = public_names(path)
    assert listed
    assert len(listed) == len(set(listed))
    assert set(listed) <= defined
    public = {name for name in functions(path) if not name.startswith("_")}
    assert public <= set(listed)


def shape_strings(node: ast.FunctionDef) -> list[str]:
    """The shapes in the annotations of a function, for example "B H T D"."""
    arguments = [*node.args.args, node.args.vararg, *node.args.kwonlyargs]
    annotated = [argument.annotation for argument in arguments if argument] + [node.returns]
    return [
        str(inner.slice.elts[1].value)
        for annotation in annotated
        if annotation
        for inner in ast.walk(annotation)
        if isinstance(inner, ast.Subscript)
        and isinstance(inner.slice, ast.Tuple)
        and isinstance(inner.slice.elts[-1], ast.Constant)
        and isinstance(inner.slice.elts[-1].value, str)
    ]


@pytest.mark.parametrize(("path", "name"), EVERY_FUNCTION, ids=identify)
def test_tensors_are_annotated_in_the_letters_of_the_notation_page(path: Path, name: str) -> None:
    node = public_functions(path)[name]
    letters = {entry.letter for entry in SIZES}
    for shape in shape_strings(node):
        for axis in shape.split():
            plain = axis.lstrip("#")
            known = plain in letters or plain.isdigit() or plain in ("_", "...")
            assert known or plain.startswith("*"), f"{name}: {axis!r} is no letter of the alphabet"
    for annotation in ast.walk(node):
        bare = isinstance(annotation, ast.arg) and ast.unparse(annotation.annotation or node)
        assert bare not in ("Tensor", "torch.Tensor", "np.ndarray"), f"{name}: a bare tensor"
    assert node.returns is not None


@pytest.mark.parametrize(("path", "name"), EVERY_FUNCTION, ids=identify)
def test_docstrings_name_every_argument(path: Path, name: str) -> None:
    node = public_functions(path)[name]
    docstring = ast.get_docstring(node) or ""
    for parameter in parameters(node):
        assert re.search(rf"^    \**{parameter}: \S", docstring, re.MULTILINE), parameter
    assert "Returns:\n" in docstring or "Yields:\n" in docstring
    raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
    assert not raises or re.search(r"Raises:\n    (Value|Type|Runtime)Error: ", docstring)


# What every public function has


@pytest.mark.parametrize(("path", "name"), EVERY_FUNCTION, ids=identify)
def test_a_public_function_has_a_twin_or_a_reason(path: Path, name: str) -> None:
    twin_path = LIBRARY / "naive" / path.relative_to(LIBRARY)
    twins = public_functions(twin_path) if twin_path.exists() else {}
    if reason(path, name, WITHOUT_TWIN):
        assert name not in twins, "it has a twin: the reason is out of date"
        return
    assert name in twins, f"no twin: course_lib/naive has no {path.stem}.{name}"
    ours, theirs = parameters(public_functions(path)[name]), parameters(twins[name])
    expected = [
        parameter for parameter in ours if parameter not in ("axis", "device", "dtype", "names")
    ]
    # A twin knows no batch of lengths, and no regular expression.
    other = {"lengths": "length"} | ({"pattern": "pre_tokens"} if path.stem == "bpe" else {})
    expected = [other.get(parameter, parameter) for parameter in expected]
    assert theirs == expected
    both = {module_name(path), module_name(twin_path)}
    tests = [test for test in (ROOT / "tests").rglob("test_*.py") if both <= imports(test)]
    called = rf'\bnaive\w*\.{name}\b|"{name}"'
    assert any(re.search(called, test.read_text(encoding="utf-8")) for test in tests), (
        f"no test compares {name} with its twin"
    )


def test_a_twin_has_something_to_judge() -> None:
    for path in NAIVE:
        if path.stem != "__init__":
            judged = public_functions(LIBRARY / path.relative_to(LIBRARY / "naive"))
            assert set(public_functions(path)) <= set(judged)


@pytest.mark.parametrize(("path", "name"), EVERY_FUNCTION, ids=identify)
def test_a_public_function_has_an_oracle_or_a_reason(path: Path, name: str) -> None:
    oracles = [
        oracle
        for oracle in (ROOT / "tests" / "oracles").glob("test_*.py")
        if module_name(path) in imports(oracle) and name in used_names(oracle)
    ]
    if reason(path, name, WITHOUT_ORACLE):
        assert not oracles, "it has an oracle: the reason is out of date"
    else:
        assert oracles, f"no file in tests/oracles imports {name} and uses it"


def code_of(page: str) -> str:
    """The code of a MyST page: its cells and code spans; prose does not count."""
    fenced = re.findall(r"^(`{3,}|:{3,})(.*?)\n(.*?)^\1", page, re.MULTILINE | re.DOTALL)
    cells = [body for _, info, body in fenced if "code-cell" in info or "literalinclude" in info]
    included = [info for _, info, _ in fenced if "literalinclude" in info]
    spans = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", page)
    return "\n".join([*cells, *included, *spans])


def documented_modules() -> set[str]:
    """The modules whose public members the API pages show."""
    shown = re.findall(r"^\.\. automodule:: (\S+)\n +:members:", api_pages(), re.MULTILINE)
    assert len(set(shown)) == len(shown), "a module is shown twice"
    return set(shown)


def api_pages() -> str:
    """The text of all API pages."""
    pages = sorted((ROOT / "book").glob("api*.md"))
    return "\n".join(page.read_text(encoding="utf-8") for page in pages)


@pytest.mark.parametrize(("path", "name"), EVERY_FUNCTION, ids=identify)
def test_a_public_function_appears_in_the_book(path: Path, name: str) -> None:
    pages = [(ROOT / "book" / f"{slug}.md").read_text(encoding="utf-8") for slug in chapters()]
    in_chapter = any(re.search(rf"\b{name}\b", code_of(page)) for page in pages)
    one = rf"^\.\. autofunction:: {module_name(path)}\.{name}$"
    by_name = re.search(one, api_pages(), re.MULTILINE)
    assert in_chapter or by_name or module_name(path) in documented_modules()


def test_the_api_page_shows_only_what_there_is() -> None:
    modules = {module_name(path) for path in ROOMS}
    assert documented_modules()
    assert documented_modules() <= modules


@pytest.mark.parametrize("page", sorted((ROOT / "book").glob("*.md")), ids=lambda page: page.stem)
def test_a_page_imports_only_public_names(page: Path) -> None:
    public = {module_name(path): public_names(path) for path in [*ROOMS, *NAIVE]}
    statement = r"^from (course_lib\.[\w.]+) import (?:\(([^)]+)\)|(.+))$"
    for module, listed, line in re.findall(statement, page.read_text("utf-8"), re.MULTILINE):
        for name in (listed or line).split(","):
            plain = name.split(" as ")[0].strip()
            submodule = f"{module}.{plain}" in public
            assert not plain or submodule or plain in public[module], f"{module}: {plain}"


def test_reasons_are_still_needed() -> None:
    known = {f"{module_name(path)}.{name}" for path, name in EVERY_FUNCTION}
    parts = [name.split(".") for name in known]
    modules = {".".join(part[:length]) for part in parts for length in range(2, len(part))}
    for key in (*WITHOUT_TWIN, *WITHOUT_ORACLE):
        assert key in known or key in modules, f"{key} is no function and no module with one"
