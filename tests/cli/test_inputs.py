"""What the user names becomes a list of jobs."""

from pathlib import Path

import pytest

from invdn.cli.inputs import Job, plan
from invdn.errors import InputError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a.jpg", "b.PNG", "notes.txt", "a_denoised.jpg", "deep/c.tif", "deep/er/a.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _plan(*inputs: str, output: str | None = None, recursive: bool = False) -> dict[str, str]:
    jobs = plan(inputs, Path(output) if output else None, suffix="_denoised", recursive=recursive)
    return {job.source.as_posix(): job.target.as_posix() for job in jobs}


@pytest.mark.usefixtures("folder")
class TestPlan:
    def test_a_file_goes_beside_itself(self) -> None:
        assert _plan("deep/c.tif") == {"deep/c.tif": "deep/c_denoised.tif"}

    def test_a_file_goes_where_told(self) -> None:
        assert _plan("a.jpg", output="x.png") == {"a.jpg": "x.png"}
        assert _plan("a.jpg", output="deep") == {"a.jpg": "deep/a_denoised.jpg"}
        assert _plan("a.jpg", output="new") == {"a.jpg": "new/a_denoised.jpg"}

    def test_a_folder_gives_its_photographs_but_not_its_results(self) -> None:
        assert _plan(".") == {"a.jpg": "a_denoised.jpg", "b.PNG": "b_denoised.PNG"}

    def test_recursion_mirrors_the_structure(self) -> None:
        assert _plan(".", output="out", recursive=True) == {
            "a.jpg": "out/a_denoised.jpg",
            "a_denoised.jpg": "out/a_denoised_denoised.jpg",
            "b.PNG": "out/b_denoised.PNG",
            "deep/c.tif": "out/deep/c_denoised.tif",
            "deep/er/a.jpg": "out/deep/er/a_denoised.jpg",
        }

    def test_a_glob_that_no_shell_expanded(self) -> None:
        assert list(_plan("deep/**/*.*")) == ["deep/c.tif", "deep/er/a.jpg"]

    def test_a_file_named_like_a_glob(self) -> None:
        Path("photo[1].jpg").touch()
        assert list(_plan("photo[1].jpg")) == ["photo[1].jpg"]

    def test_a_photograph_named_twice_is_one_job(self) -> None:
        assert list(_plan("a.jpg", "*.jpg", "a.jpg")) == ["a.jpg", "a_denoised.jpg"]

    def test_a_missing_file_is_a_job_that_will_fail(self) -> None:
        assert _plan("gone.jpg") == {"gone.jpg": "gone_denoised.jpg"}

    def test_two_photographs_never_become_one_file(self) -> None:
        with pytest.raises(InputError, match="different folders"):
            _plan("a.jpg", "deep/er/a.jpg", output="out")

    @pytest.mark.parametrize("nothing", ["*.webp", "empty"])
    def test_an_input_that_names_nothing(self, nothing: str) -> None:
        Path("empty").mkdir()
        with pytest.raises(InputError, match=r"nothing matches|no photograph"):
            _plan(nothing)


def test_an_output_folder_is_ours_to_make(folder: Path) -> None:
    (job,) = plan(["a.jpg"], Path("new"), suffix="_x", recursive=False)
    assert job == Job(Path("a.jpg"), Path("new/a_x.jpg"), makes_folder=True)
