"""What counts as an assignment."""

from grading.notebooks import slugs


def test_an_assignment_is_a_folder_with_a_notebook_of_its_name(tmp_path):
    (tmp_path / "solutions" / "masks").mkdir(parents=True)
    assert slugs(tmp_path) == []
    (tmp_path / "solutions" / "masks" / "other.ipynb").write_text("{}")
    assert slugs(tmp_path) == []
    (tmp_path / "solutions" / "masks" / "masks.ipynb").write_text("{}")
    assert slugs(tmp_path) == ["masks"]
