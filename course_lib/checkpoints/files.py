"""The tensors of safetensors files, each read when it is asked for."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jaxtyping import Shaped
from safetensors import SafetensorError, safe_open
from torch import Tensor

__all__ = ["SafetensorsFiles"]

#: What says in which file each tensor is, where there are several.
INDEX = "model.safetensors.index.json"


class SafetensorsFiles(Mapping[str, Tensor]):
    """A released checkpoint on disk, foreign name -> tensor, as a mapping that holds none of them.

    The files are mapped into memory, so a tensor's bytes are read when it is used, and the system
    may let go of them afterwards.

    Source: the format of the safetensors package; the index as Hugging Face's libraries write it.
    """

    def __init__(self, path: Path) -> None:
        """Open one file, or a folder with one file or an index.

        Raises:
            ValueError: if there is no such file, one is no safetensors file or is cut off, the
                index names a file or a tensor that is not there, or two files hold the same tensor.
        """
        self.path = path
        self._files: dict[str, Any] = {}
        for file in _files_of(path):
            opened = _opened(file)
            for name in opened.keys():  # noqa: SIM118 (it has no other way to be walked)
                if name in self._files:
                    raise ValueError(
                        f"a checkpoint has each tensor once; {name!r} is in {file.name} and in "
                        f"another file of {path}"
                    )
                self._files[name] = opened
        self._require_indexed()

    def __getitem__(self, name: str) -> Shaped[Tensor, "..."]:
        """Read a tensor."""
        tensor: Tensor = self._files[name].get_tensor(name)
        return tensor

    def __iter__(self) -> Iterator[str]:
        """Walk over the names."""
        return iter(self._files)

    def __len__(self) -> int:
        """Count the tensors."""
        return len(self._files)

    def _require_indexed(self) -> None:
        index = self.path / INDEX
        if index.is_file():
            missing = sorted(set(_read(index)) - set(self._files))
            if missing:
                raise ValueError(
                    f"the files hold what their index names; {len(missing)} tensors are in none, "
                    f"the first is {missing[0]!r}; the index is {index}"
                )


def _files_of(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    index = path / INDEX
    if index.is_file():
        files = [path / name for name in sorted(set(_read(index).values()))]
        absent = [file.name for file in files if not file.is_file()]
        if absent:
            raise ValueError(
                f"the files that an index names lie beside it; {len(absent)} of {len(files)} do "
                f"not, the first is {absent[0]!r}; the index is {index}"
            )
        return files
    found = sorted(path.glob("*.safetensors"))
    if len(found) != 1:
        raise ValueError(
            f"a checkpoint is one safetensors file, or several with {INDEX}; there are "
            f"{len(found)} files and no index in {path}"
        )
    return found


def _read(index: Path) -> dict[str, str]:
    try:
        weights: dict[str, str] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"an index is JSON with a weight_map from tensors to files; {index} is not: {error}"
        ) from error
    return weights


def _opened(file: Path) -> Any:
    try:
        return safe_open(file, framework="pt")
    except SafetensorError as error:
        raise ValueError(
            f"{file} is no whole safetensors file: {error}; it has {file.stat().st_size} bytes"
        ) from error
