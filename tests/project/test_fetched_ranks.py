"""The set-up brings the right files, once, or says what to do; it never lets the tests skip."""

import hashlib
import importlib.util
import inspect
import re
import tarfile
from pathlib import Path
from types import ModuleType

import pytest
import tiktoken_ext.openai_public as published

ROOT = Path(__file__).resolve().parents[2]
NAME = "r50k_base.tiktoken"


@pytest.fixture
def setup(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script, with one small file to bring and an empty folder to bring it to."""
    path = ROOT / ".ci" / "vocabularies.py"
    spec = importlib.util.spec_from_file_location("vocabularies", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "FOLDER", tmp_path / "there")
    monkeypatch.setattr(module, "FILES", {NAME: (hashlib.sha256(b"right").hexdigest(), "cached")})
    return module


def packed(tmp_path: Path, data: bytes) -> Path:
    source, archive = tmp_path / "source", tmp_path / "package.tgz"
    source.write_bytes(data)
    with tarfile.open(archive, "w:gz") as file:
        file.add(source, f"package/data/{NAME}")
    return archive


def test_checksums_and_cache_names_are_those_of_tiktokens_source() -> None:
    text = (ROOT / ".ci" / "vocabularies.py").read_text(encoding="utf-8")
    for function in (published.r50k_base, published.o200k_base):
        source = inspect.getsource(function)
        (address,) = re.findall(r'"(https://\S+\.tiktoken)"', source)
        (checksum,) = re.findall(r'expected_hash="(\w{64})"', source)
        file = address.split("/")[-1]
        cache_name = hashlib.sha1(address.encode()).hexdigest()
        pattern = rf'"{file}": \(\s+"{checksum}",\s+"{cache_name}",'
        assert re.search(pattern, text), file


def test_the_make_target_of_the_tests_calls_it() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^test: .*\bvocabularies\b", makefile, re.MULTILINE)
    assert "$(RUN) .ci/vocabularies.py" in makefile


def test_files_are_fetched_once(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: list[Path] = []
    archive = packed(tmp_path, b"right")
    monkeypatch.setattr(setup, "pack", lambda folder: calls.append(folder) or archive)
    setup.main()
    setup.main()
    assert len(calls) == 1
    assert (setup.FOLDER / NAME).read_bytes() == b"right"
    assert (setup.FOLDER / "tiktoken" / "cached").read_bytes() == b"right"
    # What was damaged is fetched again.
    (setup.FOLDER / NAME).write_bytes(b"wrong")
    setup.main()
    assert len(calls) == 2
    assert (setup.FOLDER / NAME).read_bytes() == b"right"


def test_a_file_that_someone_put_there_is_enough(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "pack", lambda folder: pytest.fail("npm was asked"))
    setup.FOLDER.mkdir()
    (setup.FOLDER / NAME).write_bytes(b"right")
    setup.main()
    assert (setup.FOLDER / "tiktoken" / "cached").read_bytes() == b"right"


def test_another_checksum_is_refused(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    archive = packed(tmp_path, b"wrong")
    monkeypatch.setattr(setup, "pack", lambda folder: archive)
    with pytest.raises(SystemExit, match=rf"need {NAME}; gpt-tokenizer@4\.0\.0 did not give"):
        setup.main()
    assert not (setup.FOLDER / NAME).exists()


def test_a_package_without_the_file_is_refused(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    archive = tmp_path / "empty.tgz"
    with tarfile.open(archive, "w:gz"):
        pass
    monkeypatch.setattr(setup, "pack", lambda folder: archive)
    with pytest.raises(SystemExit, match=r"Put the files into \S+there yourself"):
        setup.main()


def test_npm_without_a_registry_is_an_error_that_says_what_to_do(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "PACKAGE", "file:/nowhere/at/all")
    with pytest.raises(SystemExit, match=r"npm ended with \d+: [\s\S]*Put the files into"):
        setup.main()
