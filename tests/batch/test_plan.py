"""What the user names becomes a list of jobs."""

import os
import sys
from pathlib import Path

import pytest

from invdn.batch import Job, NameTemplate, Plan, plan
from invdn.batch.plan import find_sources
from invdn.errors import InputError
from support.systems import needs_posix, not_for_root


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a.jpg", "b.PNG", "notes.txt", "a_denoised.jpg", "deep/c.tif", "deep/er/a.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _found(
    *inputs: str,
    output: str | None = None,
    recursive: bool = False,
    name: str = "{stem}_denoised{suffix}",
) -> Plan:
    target = Path(output) if output else None
    return plan(inputs, target, name=NameTemplate(name), recursive=recursive)


def _plan(*inputs: str, **how: object) -> dict[str, str]:
    jobs = _found(*inputs, **how).jobs  # type: ignore[arg-type]
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

    def test_results_in_a_folder_inside_are_no_photographs(self) -> None:
        first = _plan(".", output="out", recursive=True)
        for target in first.values():
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            Path(target).touch()
        assert _plan(".", output="out", recursive=True) == first

    def test_a_result_among_its_photographs_is_none_whatever_its_name(self) -> None:
        Path("clean-b.PNG").touch()
        found = _plan(".", name="clean-{stem}{suffix}")
        assert found == {
            "a.jpg": "clean-a.jpg",
            "a_denoised.jpg": "clean-a_denoised.jpg",
            "b.PNG": "clean-b.PNG",
        }
        Path("clean-b.PNG").unlink()
        assert _plan(".", output=".") == {"a.jpg": "a_denoised.jpg", "b.PNG": "b_denoised.PNG"}

    def test_a_result_that_a_shell_named_is_told_and_left_out(self) -> None:
        found = _found("a.jpg", "a_denoised.jpg")
        assert found.jobs == (Job(Path("a.jpg"), Path("a_denoised.jpg")),)
        assert found.results == ((Path("a_denoised.jpg"), Path("a.jpg")),)

    def test_a_glob_that_no_shell_expanded(self) -> None:
        assert list(_plan("deep/**/*.*")) == ["deep/c.tif", "deep/er/a.jpg"]

    def test_a_file_named_like_a_glob(self) -> None:
        Path("photo[1].jpg").touch()
        assert list(_plan("photo[1].jpg")) == ["photo[1].jpg"]

    def test_a_photograph_named_twice_is_one_job(self) -> None:
        assert list(_plan("a.jpg", "*.PNG", "a.jpg")) == ["a.jpg", "b.PNG"]

    def test_a_missing_file_is_a_job_that_will_fail(self) -> None:
        assert _plan("gone.jpg") == {"gone.jpg": "gone_denoised.jpg"}

    def test_two_photographs_never_become_one_file(self) -> None:
        with pytest.raises(InputError, match="different folders"):
            _plan("a.jpg", "deep/er/a.jpg", output="out")
        named = _plan("a.jpg", "deep/er/a.jpg", output="out", name="{parent}-{stem}{suffix}")
        assert named["deep/er/a.jpg"] == "out/er-a.jpg"

    def test_two_names_of_one_folder_are_one_folder(self) -> None:
        Path("link").symlink_to("deep")
        Path("deep/c.jpg").touch()
        with pytest.raises(InputError, match="both become"):
            _plan("deep/c.tif", "link/c.jpg", name="{stem}.png")

    @pytest.mark.parametrize("nothing", ["*.webp", "empty"])
    def test_an_input_that_names_nothing(self, nothing: str) -> None:
        Path("empty").mkdir()
        with pytest.raises(InputError, match=r"nothing matches|no photograph"):
            _plan(nothing)

    def test_an_empty_name_is_not_this_folder(self) -> None:
        with pytest.raises(InputError, match="empty"):
            _plan("")

    def test_the_order_is_stable(self) -> None:
        assert list(_plan(".", recursive=True)) == list(_plan(".", recursive=True))
        assert list(_plan(".", recursive=True)) == ["a.jpg", "b.PNG", "deep/c.tif", "deep/er/a.jpg"]


@pytest.mark.usefixtures("folder")
class TestOriginals:
    """No result is written over a photograph, whatever it is called."""

    def test_the_same_name(self) -> None:
        for inputs, output in ((["a.jpg"], None), (["a.jpg"], "./a.jpg"), (["."], "deep/..")):
            with pytest.raises(InputError, match="over the photograph"):
                _plan(*inputs, output=output, name="{stem}{suffix}")

    @pytest.mark.parametrize("link", [os.symlink, os.link])
    def test_a_link(self, link: object) -> None:
        Path("out").mkdir()
        link(Path("b.PNG").absolute(), Path("out/a_denoised.jpg"))  # type: ignore[operator]
        with pytest.raises(InputError, match=r"over the photograph b\.PNG"):
            _plan(".", output="out")

    def test_a_linked_folder(self) -> None:
        Path("out").symlink_to(".")
        with pytest.raises(InputError, match="over the photograph"):
            _plan("a.jpg", output="out", name="{stem}{suffix}")


@pytest.mark.usefixtures("folder")
class TestSearch:
    def test_circles_of_links_end(self) -> None:
        Path("deep/up").symlink_to("..")
        Path("deep/itself.jpg").symlink_to("itself.jpg")
        Path("deep/nowhere.png").symlink_to("gone")
        Path("deep/photo.png").symlink_to("../b.PNG")
        found = find_sources(["deep"], recursive=True)
        assert [source.path.name for source in found.sources] == ["c.tif", "a.jpg", "photo.png"]
        assert found.linked == [Path("deep/up")]
        assert {path.name for path, _ in found.unreadable} == {"itself.jpg", "nowhere.png"}
        assert all("leads nowhere" in reason for _, reason in found.unreadable)

    @needs_posix
    def test_what_is_no_file_or_hidden_is_no_photograph(self) -> None:
        os.mkfifo("deep/pipe.jpg")
        Path("deep/device.jpg").symlink_to("/dev/zero")
        Path("deep/folder.jpg").mkdir()
        Path("deep/._c.tif").touch()  # macOS leaves these on memory cards
        Path("deep/.trash").mkdir()
        Path("deep/.trash/c.tif").touch()
        assert list(_plan("deep", recursive=True)) == ["deep/c.tif", "deep/er/a.jpg"]

    @not_for_root
    def test_a_folder_that_may_not_be_read(self) -> None:
        Path("deep/er").chmod(0)
        try:
            found = find_sources(["deep"], recursive=True)
        finally:
            Path("deep/er").chmod(0o700)
        assert [source.path.name for source in found.sources] == ["c.tif"]
        assert "cannot search" in found.unreadable[0][1]

    def test_names_of_all_kinds(self) -> None:
        names = [
            "two\nlines.jpg",
            "😀.jpg",
            "-r.jpg",
            "a[1].jpg",
            " .jpg",
            "%s{0}.jpg",
            "\udce9.jpg",
        ]
        Path("odd").mkdir()
        for name in names:
            Path("odd", name).touch()
        assert {Path(source).name for source in _plan("odd")} == set(names)
        assert _plan("odd")["odd/%s{0}.jpg"] == "odd/%s{0}_denoised.jpg"

    def test_many_files_take_no_more_steps_each_than_few(self) -> None:
        def steps(count: int) -> int:
            many = Path(f"of_{count}")
            many.mkdir()
            for number in range(count):
                (many / f"{number:05}.jpg").touch()
            made = 0

            def count_step(*_: object) -> None:
                nonlocal made
                made += 1

            sys.setprofile(count_step)
            try:
                planned = _plan(str(many), output=f"out_{count}")
            finally:
                sys.setprofile(None)
            assert len(planned) == count
            return made

        assert steps(2000) < 2.2 * steps(1000)


def test_an_output_folder_is_ours_to_make(folder: Path) -> None:
    (job,) = _found("a.jpg", output="new").jobs
    assert job == Job(Path("a.jpg"), Path("new/a_denoised.jpg"), makes_folder=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{stem", "no template"),
        ("{stem}{", "no template"),
        ("{}{suffix}", "holds {}"),
        ("{stem.__class__}{suffix}", "holds {stem.__class__}"),
        ("{stem:>99999999999}{suffix}", "format"),
        ("{stem!r}{suffix}", "format"),
        ("clean/{stem}{suffix}", "--output"),
        ("..\\{stem}{suffix}", "--output"),
        ("clean.jpg", "lacks {stem}"),
        ("{stem}_clean", "must end in"),
        ("{stem}{suffix}.exe", "must end in"),
        ("", "lacks"),
    ],
)
def test_what_is_no_template(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message.replace("{", r"\{").replace("}", r"\}")):
        NameTemplate(text)
