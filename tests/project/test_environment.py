"""The set-up never takes gigabytes of CUDA unasked; where it cannot go on it names the variable."""

import importlib.util
import re
from importlib.metadata import distributions
from pathlib import Path
from types import ModuleType

import pytest
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


#: A version, and perhaps the one system that has the package.
PINNED = r'[A-Za-z0-9-]+==[\w.]+(; sys_platform == "linux")?'

environment = load("environment")
browser = load("browser")


def test_linux_is_offered_cpu_builds_only() -> None:
    choices = environment.torch_choices("Linux", "")
    assert [arguments[1] for _, arguments in choices] == [f"torch=={environment.TORCH}+cpu"] * 2
    assert "--index-url" not in choices[0][1]
    assert choices[1][1][-1] == environment.TORCH_CPU_INDEX


@pytest.mark.parametrize("system", ["Darwin", "Windows"])
def test_elsewhere_the_registry_has_a_cpu_build(system: str) -> None:
    assert environment.torch_choices(system, "") == [
        ("the registry's wheel", [f"torch=={environment.TORCH}"])
    ]


def test_the_variable_overrules_every_platform() -> None:
    for system in ("Linux", "Darwin", "Windows"):
        (_, arguments), *others = environment.torch_choices(system, "torch==9 --index-url there")
        assert arguments == ["torch==9", "--index-url", "there"]
        assert others == []


def test_no_build_at_all_stops_and_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COURSE_TORCH", raising=False)
    monkeypatch.setattr(environment.platform, "system", lambda: "Linux")
    asked: list[list[str]] = []
    monkeypatch.setattr(environment, "pip", lambda arguments, quiet=False: asked.append(arguments))
    with pytest.raises(SystemExit, match=r"Set COURSE_TORCH"):
        environment.install_torch()
    assert len(asked) == 2


@pytest.mark.parametrize("version", [(3, 9, 2), (3, 10, 14), (3, 15, 0), (4, 0, 0)])
def test_another_python_gets_a_sentence(
    monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...]
) -> None:
    monkeypatch.setattr(environment.sys, "version_info", version)
    monkeypatch.setattr(environment.platform, "python_version", lambda: "3.9.2")
    with pytest.raises(SystemExit, match=r"a Python from 3\.11 to 3\.14; this is 3\.9\.2"):
        environment.main()


def test_the_range_is_said_where_it_is_read() -> None:
    said = "Python " + " to ".join(f"{x}.{y}" for x, y in (environment.OLDEST, environment.NEWEST))
    for page in ("README.md", "book/index.md", "book/for-learners.md"):
        assert said in (ROOT / page).read_text()


def test_the_pins_are_resolved_whole_and_without_a_torch_of_cuda(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / ".ci")
    whole, alone = load("pins").commands("3.14", str(tmp_path))
    pins = [*(ROOT / "constraints.txt").read_text().split("\n")]
    assert {one for one in whole if "==" in one} <= set(pins)
    assert len([one for one in whole if "==" in one]) > 20
    assert "--no-deps" in alone
    assert alone[-1] == f"torch=={environment.TORCH}"
    for command in (whole, alone):
        assert {"--dry-run", "--only-binary=:all:"} <= set(command)
        assert command[command.index("--python-version") + 1] == "3.14"
        assert "torch" not in " ".join(command[:-1]).replace(str(tmp_path), "")
    assert "torch==" not in (tmp_path / "constraints.txt").read_text()


def test_the_fingerprint_changes_with_a_requirement(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("requirements.txt", "constraints.txt", "pyproject.toml", ".ci/environment.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    before = environment.fingerprint(["requirements.txt"])
    assert environment.fingerprint(["requirements.txt"]) == before
    (tmp_path / "constraints.txt").write_text("numpy==1")
    assert environment.fingerprint(["requirements.txt"]) != before


def test_every_requirement_is_pinned_and_every_pin_is_a_constraint() -> None:
    constraints = set((ROOT / "constraints.txt").read_text().lower().splitlines())
    for name in ("requirements.txt", "requirements-dev.txt"):
        for line in (ROOT / name).read_text().splitlines():
            if line and not line.startswith(("#", "-r")):
                assert re.fullmatch(PINNED, line), f"{name} does not pin {line}"
                assert line.lower() in constraints, f"constraints.txt does not hold {line}"


def test_every_pin_takes_the_oldest_python_of_the_readme() -> None:
    packages = {canonicalize_name(package.metadata["Name"]): package for package in distributions()}
    text = (ROOT / "constraints.txt").read_text()
    pins = {canonicalize_name(pin) for pin in re.findall(r"^([\w.-]+)==", text, re.MULTILINE)}
    # Another system, or a newer Python, may leave a few of them out.
    assert len(pins & packages.keys()) > 0.9 * len(pins)
    refusing = {
        pin: rule
        for pin in pins & packages.keys()
        if (rule := packages[pin].metadata.get("Requires-Python"))
        and not SpecifierSet(rule).contains("3.11.0")
    }
    assert refusing == {}


def test_a_browser_that_does_not_exist_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_BROWSER", "/nowhere/chromium")
    with pytest.raises(SystemExit, match="does not exist"):
        browser.find()


def test_no_browser_at_all_is_an_error_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(browser, "find", lambda: None)
    monkeypatch.setattr(browser, "install", lambda: None)
    with pytest.raises(SystemExit, match="COURSE_BROWSER"):
        browser.main()
