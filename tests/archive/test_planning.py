"""Plans: what is listed, how it is cut, and that it is whole or not there."""

import re
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invdn.archive import (
    Manifest,
    Naming,
    Row,
    open_manifest,
    plan_archive,
    read_names,
    read_parquet,
)
from invdn.archive.row_files import ROWS_OF_A_PART
from invdn.errors import DataError, InputError
from invdn.stores import open_store

NAMING = Naming("{stem}_denoised{suffix}")


def _plan(folder: Path, rows: list[Row], shards: int | None, **others) -> Manifest:
    where = [str(folder / name) for name in ("in", "out", "plan")]
    plan_archive(*where, NAMING, rows=rows, shards=shards, **others)
    return open_manifest(where[2])


def _rows(manifest: Manifest) -> list[list[Row]]:
    return [list(manifest.rows_of(shard)) for shard in range(len(manifest.shards))]


def test_a_bucket_is_listed(planned: Manifest) -> None:
    rows = [row for shard in _rows(planned) for row in shard]
    assert [row.key for row in rows] == sorted(f"{n % 3}/{n:02d}.jpg" for n in range(24))
    store = open_store(planned.source)
    assert all(row.etag == store.head(row.key).etag and row.size for row in rows)
    assert [row.beside for row in rows if row.beside] == [("00.xmp",)]
    assert [shard.rows for shard in planned.shards] == [6, 6, 6, 6]


@given(
    sizes=st.lists(st.one_of(st.none(), st.integers(0, 10**7)), min_size=1, max_size=60),
    shards=st.integers(1, 70),
)
def test_shards_are_equal_in_bytes(
    sizes: list[int | None], shards: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = [Row(f"{place:03d}.jpg", size) for place, size in enumerate(sizes)]
    made = _plan(tmp_path_factory.mktemp("plan"), rows, shards)
    read = _rows(made)
    assert [row for shard in read for row in shard] == rows, "every row once, in order"
    assert len(read) == shards
    assert [len(shard) for shard in read] == [shard.rows for shard in made.shards]
    known = [size for size in sizes if size is not None]
    mean = max(1, sum(known) // len(known)) if known else 1
    weights = [mean if size is None else size for size in sizes]
    fair = sum(weights) / shards
    for shard in made.shards:
        assert shard.size <= fair + max(weights) + 1


BOTH = pytest.mark.parametrize("how", ["jsonl", "parquet"])


@BOTH
def test_rows_come_back_as_they_were(tmp_path: Path, how: str) -> None:
    if how == "parquet":
        pytest.importorskip("pyarrow")
    rows = [Row('ü "1".jpg', 5, '"abc"', ("ü.xmp",)), Row("b.jpg"), Row("c.jpg", None, "e")]
    made = _plan(tmp_path, rows, 1, how=how)
    assert _rows(made) == [rows]
    ending = {"jsonl": ".jsonl.gz", "parquet": ".parquet"}[how]
    assert made.part_key(0, 0).endswith(ending)
    assert made.store.head(made.part_key(0, 0))


@BOTH
def test_a_shard_of_many_parts(tmp_path: Path, how: str) -> None:
    if how == "parquet":
        pytest.importorskip("pyarrow")
    number = 2 * ROWS_OF_A_PART + 7
    made = _plan(tmp_path, [Row(f"{place}.jpg", 1) for place in range(number)], 1, how=how)
    assert made.shards[0].parts == 3
    assert [row.key for row in made.rows_of(0)] == [f"{place}.jpg" for place in range(number)]


def test_memory_does_not_grow_with_rows(tmp_path: Path) -> None:
    def rows(number: int) -> Iterator[Row]:
        return (Row(f"{place:08d}/IMG.jpg", place % 977) for place in range(number))

    def peak(name: str, number: int) -> int:
        tracemalloc.start()
        made = _plan(tmp_path / name, rows(number), 2)
        assert sum(1 for _ in made.rows_of(1)) > number / 9
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak("warm", 100)
    assert peak("large", 40_000) < 1.6 * peak("small", 10_000) + 1e6


@pytest.mark.parametrize("how", ["jsonl", "parquet"])
def test_a_damaged_part_says_so(tmp_path: Path, how: str) -> None:
    if how == "parquet":
        pytest.importorskip("pyarrow")
    made = _plan(tmp_path, [Row("a.jpg", 1)], 1, how=how)
    part = tmp_path / "plan" / made.part_key(0, 0)
    part.write_bytes(part.read_bytes()[:-9])
    with pytest.raises(DataError, match=re.escape(made.part_key(0, 0))):
        list(made.rows_of(0))


def test_names_from_an_inventory_in_parquet(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {"bucket": ["b", "b"], "key": ["a.jpg", "b.jpg"], "size": [5, 6]}
    path = tmp_path / "inventory.parquet"
    parquet.write_table(arrow.table({**columns, "e_tag": ["1f", "2f"]}), path)
    rows = list(read_parquet(path))
    assert rows == [Row("a.jpg", 5, '"1f"'), Row("b.jpg", 6, '"2f"')]
    parquet.write_table(arrow.table({"name": ["a.jpg"]}), path)
    for wrong in (path, tmp_path / "none.parquet"):
        with pytest.raises(InputError, match="--files-from"):
            list(read_parquet(wrong))


def test_two_that_would_become_one(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "in"))
    for name in ("x/a.heic", "x/a.avif", "x/b.jpg"):
        store.create(name, b"1")
    where = [str(tmp_path / name) for name in ("in", "out", "plan")]
    with pytest.raises(InputError, match=r"x/a_denoised\.avif.*--name"):
        plan_archive(*where, NAMING)
    assert not (tmp_path / "plan" / "plan.json").exists()
    plan_archive(*where, Naming("{stem}-{extension}{suffix}"))


def test_results_and_plan_inside_the_source(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    for name in ("a.jpg", "clean/a_denoised.jpg", "plan/x.jpg", "b/c.jpg"):
        store.create(name, b"1")
    where = [str(tmp_path), str(tmp_path / "clean"), str(tmp_path / "plan")]
    made = plan_archive(*where, NAMING, shards=1).manifest
    assert [row.key for row in made.rows_of(0)] == ["a.jpg", "b/c.jpg"]


def test_results_beside_their_photographs(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "in"))
    for name in ("a.jpg", "a_denoised.jpg"):
        store.create(name, b"1")
    where = [str(tmp_path / name) for name in ("in", "in", "plan")]
    planned = plan_archive(*where, NAMING, shards=1)
    assert [row.key for row in planned.manifest.rows_of(0)] == ["a.jpg"]
    assert planned.listing.results == 1


def test_a_plan_is_not_replaced_unasked(tmp_path: Path) -> None:
    first = _plan(tmp_path, [Row("a.jpg", 1)], 1)
    with pytest.raises(InputError, match="holds a plan already"):
        _plan(tmp_path, [Row("b.jpg", 1)], 1)
    assert _rows(open_manifest(first.store.url)) == [[Row("a.jpg", 1)]]
    assert _rows(_plan(tmp_path, [Row("b.jpg", 1)], 1, overwrite=True)) == [[Row("b.jpg", 1)]]


def test_nothing_to_do(tmp_path: Path) -> None:
    open_store(str(tmp_path / "in")).create("notes.txt", b"1")
    where = [str(tmp_path / name) for name in ("in", "out", "plan")]
    with pytest.raises(InputError, match=r"no photograph.*1 other"):
        plan_archive(*where, NAMING)


def test_no_plan(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no plan at .*invdn plan"):
        open_manifest(str(tmp_path))
    (tmp_path / "plan.json").write_text("{}")
    with pytest.raises(InputError, match="is no plan"):
        open_manifest(str(tmp_path))


def test_a_damaged_shard(tmp_path: Path) -> None:
    made = _plan(tmp_path, [Row(f"{place}.jpg", 1) for place in range(100)], 1)
    (path,) = tmp_path.glob("plan/shards-*/*")
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    with pytest.raises(DataError, match="plan again"):
        list(made.rows_of(0))
    path.unlink()
    with pytest.raises(DataError, match="plan again"):
        list(made.rows_of(0))


def test_names_from_a_list() -> None:
    lines = ["./a.jpg\n", "s3://b/in/x/b c.jpg\r\n", "\n", '{"key": "d.jpg", "size": 7}\n']
    rows = list(read_names(lines, "s3://b/in/"))
    assert rows == [Row("a.jpg"), Row("x/b c.jpg"), Row("d.jpg", 7)]
    with pytest.raises(InputError, match="does not lie below s3://b/in/"):
        list(read_names(["s3://c/in/a.jpg"], "s3://b/in"))
    with pytest.raises(InputError, match="no row"):
        list(read_names(['{"size": 7}'], "s3://b/in"))
