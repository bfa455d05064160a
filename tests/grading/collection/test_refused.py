"""What could do harm is refused by name, and nothing is written outside submitted/."""

import io
import stat
import tarfile
import zipfile

import pytest
from made_zips import entry, files_below, make_zip, worked, zipped

from grading.collection.entry import Limits, RefusedError
from grading.collection.sources import Reader
from grading.collection.times import Zone

WORK = worked()
GOOD = {"learner-12/softmax.ipynb": WORK}


def link(name: str, target: str) -> tuple[zipfile.ZipInfo, bytes]:
    made = entry(name)
    made.external_attr = (stat.S_IFLNK | 0o777) << 16
    return made, target.encode()


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/etc/softmax.ipynb", "it is an absolute path"),
        ("C:\\temp\\softmax.ipynb", "it is an absolute path"),
        ("learner-11/../../../softmax.ipynb", 'its path leads upwards ("..")'),
        ("..\\learner-11\\softmax.ipynb", 'its path leads upwards ("..")'),
    ],
)
def test_a_path_that_leads_out(tmp_path, collect, course, path, why):
    made = make_zip(tmp_path / "x.zip", {path: WORK} | GOOD)
    before = files_below(tmp_path)
    done = collect(made)
    assert done.status == 1
    assert f"not placed: x.zip: {path}: {why}" in done.err
    new = files_below(tmp_path).keys() - before.keys()
    assert new == {
        f"course/submitted/learner-12/softmax/{n}" for n in ("softmax.ipynb", "timestamp.txt")
    }


def test_a_link_in_a_zip_and_in_a_folder(tmp_path, collect, submitted):
    secret = tmp_path / "secret.ipynb"
    secret.write_bytes(WORK)
    made = make_zip(tmp_path / "x.zip", [link("learner-11/softmax.ipynb", str(secret))])
    assert "x.zip: learner-11/softmax.ipynb: it is a link and no file" in collect(made).err
    folder = tmp_path / "got" / "learner-11"
    folder.mkdir(parents=True)
    (folder / "softmax.ipynb").symlink_to(secret)
    (tmp_path / "got" / "learner-12").symlink_to(folder)
    done = collect(tmp_path / "got")
    assert "got: learner-11/softmax.ipynb: it is a link and no file" in done.err
    assert "got: learner-12: it is a link and no file" in done.err
    assert submitted() == {}


def test_an_encrypted_file(tmp_path, collect, submitted):
    made = make_zip(tmp_path / "x.zip", {"learner-11/softmax.ipynb": WORK})
    data = bytearray(made.read_bytes())
    for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(mark) + place] |= 1
    made.write_bytes(data)
    done = collect(made)
    assert "learner-11/softmax.ipynb: it is encrypted; ask for it without a password" in done.err
    assert submitted() == {}


def test_a_damaged_file_in_a_zip_costs_no_other_its_place(tmp_path, collect, submitted):
    made = make_zip(tmp_path / "x.zip", {"learner-11/softmax.ipynb": WORK} | GOOD)
    data = bytearray(made.read_bytes())
    data[200] ^= 0xFF
    made.write_bytes(data)
    done = collect(made)
    assert done.status == 1
    assert "x.zip: learner-11/softmax.ipynb: it cannot be unpacked" in done.err
    assert set(submitted()) == {
        f"learner-12/softmax/{n}" for n in ("softmax.ipynb", "timestamp.txt")
    }


def test_a_zip_that_is_none(tmp_path, collect, submitted):
    whole = make_zip(tmp_path / "x.zip", GOOD).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    done = collect(tmp_path / "cut.zip", tmp_path / "x.zip")
    assert done.status == 1
    assert "not placed: cut.zip: it cannot be opened (File is not a zip file)" in done.err
    assert len(submitted()) == 2


def test_what_is_too_much_is_not_read(tmp_path):
    limits = Limits(file=5000, total=9000, files=4)
    bomb = {"learner-11/softmax.ipynb": b"0" * 1_000_000, "learner-12/softmax.ipynb": b"0" * 4000}
    made = make_zip(tmp_path / "bomb.zip", bomb | {"movie.mp4": b"0" * 100_000})
    with Reader(Zone("UTC"), limits) as reader:
        (source,) = reader.read([made])
        assert [one.why for one in source.refused] == ["its notebooks hold more than 9000 bytes"]
        many = make_zip(tmp_path / "many.zip", {f"{n}.ipynb": b"" for n in range(5)})
        (source,) = reader.read([many])
        assert [one.why for one in source.refused] == ["it holds 5 files; 4 are the most"]
        nested = {"learner-11/a.zip": zipped({"softmax.ipynb": b"0" * 6000})}
        (source,) = reader.read([make_zip(tmp_path / "nested.zip", nested)])
        assert "ask for it without its outputs" in source.refused[0].why
        (source,) = reader.read([make_zip(tmp_path / "long.zip", {"a/b.ipynb": b"0" * 5001})])
        with pytest.raises(RefusedError, match="ask for it without its outputs"):
            source.entries[0].read()


def test_a_size_that_lies_is_found_out(tmp_path, collect, submitted):
    """A bomb may say that it is small; no more than it says is unpacked."""
    made = make_zip(tmp_path / "x.zip", {"learner-11/softmax.ipynb": WORK} | GOOD)
    data = bytearray(made.read_bytes())
    place = data.index(b"PK\1\2") + 24
    data[place : place + 4] = (100).to_bytes(4, "little")
    made.write_bytes(data)
    done = collect(made)
    assert "learner-11/softmax.ipynb: it cannot be unpacked" in done.err
    assert len(submitted()) == 2


def test_a_zip_in_a_zip_in_a_zip_and_other_archives(tmp_path, collect, submitted):
    inner = zipped({"deep.zip": zipped({"softmax.ipynb": WORK})})
    found = {"learner-11/a.zip": inner, "learner-13/work.rar": b"Rar!", "learner-14/w.7z": b"7z"}
    done = collect(make_zip(tmp_path / "x.zip", found | GOOD))
    assert "learner-11/a.zip/deep.zip: it is a zip in a zip in a zip" in done.err
    for name in ("learner-13/work.rar", "learner-14/w.7z"):
        assert f"x.zip: {name}: archives of this kind are not read; unpack it" in done.err
    assert len(submitted()) == 2


def test_a_tar_with_links_and_a_good_notebook(tmp_path, collect, submitted):
    path = tmp_path / "all.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, kind in (("learner-11/softmax.ipynb", tarfile.SYMTYPE), ("../x.ipynb", b"0")):
            made = tarfile.TarInfo(name)
            made.type, made.linkname = kind, "/etc/passwd"
            archive.addfile(made)
        made = tarfile.TarInfo("learner-12/softmax.ipynb")
        made.size, made.mtime = len(WORK), 1_793_000_000
        archive.addfile(made, io.BytesIO(WORK))
    done = collect(path)
    assert "learner-11/softmax.ipynb: it is a link" in done.err
    assert "../x.ipynb: its path leads upwards" in done.err
    assert submitted()["learner-12/softmax/timestamp.txt"] == b"2026-10-26 07:33:20 UTC\n"


def test_names_do_not_move_the_terminals_cursor(tmp_path, collect):
    done = collect(make_zip(tmp_path / "x.zip", {"learner-11/a\x1b[2J.ipynb": b"{"}))
    assert "\x1b" not in done.out + done.err
    assert "a?[2J.ipynb" in done.err


@pytest.mark.parametrize(
    ("name", "folder"), [("CON", "CON_"), ("a:b*c?", "a-b-c"), ("  x.y. ", "x.y"), ("-.-", "")]
)
def test_an_id_that_is_made_can_be_a_folder_everywhere(tmp_path, collect, submitted, name, folder):
    done = collect(make_zip(tmp_path / "x.zip", {f"{name}_softmax.ipynb": WORK}))
    assert {path.split("/")[0] for path in submitted()} == ({folder} if folder else set())
    assert done.status == (0 if folder else 1)
