"""What every store promises, held against a folder and servers of S3, Azure and Google."""

import errno
import os
import re
import stat
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from invdn.errors import (
    AccessError,
    BusyStoreError,
    ChangedObjectError,
    FullStoreError,
    InputError,
    MissingObjectError,
    ObjectExistsError,
    StoreError,
)
from invdn.stores import Store, open_store, s3_parts
from support.fault_proxy import Answer, fault_proxy

from .conftest import SERVERS, behind_proxy

NAMES = ["a.jpg", "b/c d.jpg", "b/é.jpg", "b/100%.jpg", "b/x+y&z=1#2.jpg", "Ä/ö/ü.tif", "q'\".png"]


def test_what_is_written_is_read(store: Store) -> None:
    written = store.create("2024/a.jpg", b"pixels", {"invdnkey": "1"}, content_type="image/jpeg")
    content, entry = store.fetch("2024/a.jpg", written.etag)
    found = store.head("2024/a.jpg")
    assert content == b"pixels"
    assert entry.size == found.size == 6
    assert entry.etag == found.etag == written.etag
    assert found.metadata["invdnkey"] == "1"


def test_any_name_goes_through(store: Store) -> None:
    for name in NAMES:
        store.create(name, name.encode())
    assert sorted(entry.key for entry in store.entries()) == sorted(NAMES)
    for name in NAMES:
        assert store.fetch(name)[0] == name.encode()


def test_names_of_one_stem_come_together(store: Store) -> None:
    for name in ("x/a.xmp", "x/a.jpg", "x/a/b.jpg", "x/a-1.jpg", "x/b.jpg", "x/a.b.jpg"):
        store.create(name, b"1")
    keys = [entry.key for entry in store.entries() if entry.key.startswith("x/a.")]
    listed = [entry.key for entry in store.entries()]
    first = listed.index(keys[0])
    assert listed[first : first + 3] == keys


def test_many_pages(store: Store) -> None:
    names = [f"{number % 7}/{number:04d}.jpg" for number in range(1203)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: store.create(name, b"1"), names))
    assert sorted(entry.key for entry in store.entries()) == sorted(names)
    assert len(list(store.entries("3"))) == sum(name.startswith("3/") for name in names)


def test_of_many_writers_one_wins(store: Store) -> None:
    def write(number: int) -> int | None:
        try:
            store.create("result.jpg", str(number).encode() * 1000, {"invdnkey": str(number)})
        except ObjectExistsError:
            return None
        return number

    with ThreadPoolExecutor(8) as pool:
        winners = [won for won in pool.map(write, range(8)) if won is not None]
    (winner,) = winners
    assert store.fetch("result.jpg")[0] == str(winner).encode() * 1000
    assert store.head("result.jpg").metadata["invdnkey"] == str(winner)


def test_replacing_what_is_meant(store: Store) -> None:
    first = store.create("a", b"1")
    second = store.replace("a", b"22", {"invdnkey": "2"}, etag=first.etag)
    with pytest.raises(ChangedObjectError):
        store.replace("a", b"333", etag=first.etag)
    assert store.fetch("a")[0] == b"22"
    assert store.head("a").etag == second.etag
    store.replace("a", b"4444")
    assert store.fetch("a")[0] == b"4444"


def test_replacing_what_is_gone(store: Store) -> None:
    store.create("other", b"1")
    with pytest.raises(ChangedObjectError):
        store.replace("a", b"1", etag=store.head("other").etag)
    assert store.head("a") is None


SMALL, LARGE = 5000, 12 << 20


def _losing(wanted: str, then: Callable[[], object] | None = None) -> Answer:
    """An answer of the proxy: it loses that of the first request whose method and path fit.

    ``then`` is done when the request comes again, before the server sees it.
    """
    lost: list[str] = []

    def answer(method: str, path: str) -> str | None:
        if not re.search(wanted, f"{method} {path}"):
            return None
        lost.append(path)
        if len(lost) == 2 and then:
            then()
        return "lost" if len(lost) == 1 else None

    return answer


#: The request that makes an object appear.
LAST = {SMALL: "^PUT [^?]*result", LARGE: "^POST .*uploadId="}
CASES = [*product(SERVERS, [SMALL]), *product(["bucket", "seaweed_bucket"], [LARGE])]


@pytest.mark.parametrize(("kind", "size"), CASES)
@pytest.mark.parametrize("way", ["create", "replace", "replace that one"])
def test_a_lost_answer_is_no_conflict(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    size: int,
    way: str,
) -> None:
    url = request.getfixturevalue(kind)
    monkeypatch.setattr(s3_parts, "PART", 5 << 20)  # S3 takes no smaller ones
    if size == LARGE:
        pytest.importorskip("boto3")
    there = None if way == "create" else open_store(url).create("result", b"before")
    content, notes = np.random.default_rng(1).bytes(size), {"invdnkey": "1"}
    with behind_proxy(url, monkeypatch, _losing(LAST[size])) as (store, proxy):
        if there is None:
            written = store.create("result", content, notes, content_type="image/tiff")
        else:
            etag = there.etag if way == "replace that one" else None
            written = store.replace("result", content, notes, etag=etag)
        assert proxy.faults["lost"] == 1
    store = open_store(url)
    assert store.fetch("result", written.etag)[0] == content
    assert store.head("result").metadata["invdnkey"] == "1"


@pytest.mark.parametrize(("kind", "size"), CASES)
@pytest.mark.parametrize("way", ["create", "replace that one"])
def test_after_a_lost_answer_another_wrote(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    size: int,
    way: str,
) -> None:
    url = request.getfixturevalue(kind)
    monkeypatch.setattr(s3_parts, "PART", 5 << 20)
    if size == LARGE:
        pytest.importorskip("boto3")
    if (kind, size, way) == ("bucket", LARGE, "replace that one"):
        pytest.skip("moto passes over If-Match of an upload in parts")
    direct = open_store(url)
    there = None if way == "create" else direct.create("result", b"before")

    def by_another() -> None:
        direct.replace("result", b"another's", {"invdnkey": "1"})

    answer = _losing(LAST[size], by_another)
    refused: Any = pytest.raises(ObjectExistsError if there is None else ChangedObjectError)
    if size == LARGE:  # a server may repeat its answer to the end of an upload: that it was done
        refused = suppress(ObjectExistsError, ChangedObjectError)
    with behind_proxy(url, monkeypatch, answer) as (store, _), refused:
        if there is None:
            store.create("result", bytes(size), {"invdnkey": "1"})
        else:
            store.replace("result", bytes(size), {"invdnkey": "1"}, etag=there.etag)
    assert direct.fetch("result")[0] == b"another's"


@pytest.mark.parametrize("kind", ["bucket", "seaweed_bucket"])
def test_an_upload_in_parts_that_was_ended_is_begun_anew(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    boto3 = pytest.importorskip("boto3")
    url = request.getfixturevalue(kind)
    monkeypatch.setattr(s3_parts, "PART", 5 << 20)
    client = boto3.client("s3")
    bucket = url.removeprefix("s3://")
    ended: list[str] = []

    def answer(method: str, path: str) -> tuple[int, str] | None:
        if "partNumber=2" not in path or ended:
            return None
        for upload in client.list_multipart_uploads(Bucket=bucket)["Uploads"]:
            where = {"Bucket": bucket, "Key": upload["Key"], "UploadId": upload["UploadId"]}
            client.abort_multipart_upload(**where)
            ended.append(path)
        # moto 5.2 answers 500 where S3 and SeaweedFS say that there is no such upload
        gone = (404, "<Error><Code>NoSuchUpload</Code></Error>")
        return gone if kind == "bucket" else None

    with behind_proxy(url, monkeypatch, answer) as (store, proxy):
        store.create("result", bytes(LARGE))
        assert len(ended) == 1 and proxy.requests["POST"] >= 3, "begun twice, and ended"
    assert open_store(url).fetch("result")[0] == bytes(LARGE)


@pytest.mark.parametrize("kind", ["bucket", "seaweed_bucket"])
def test_a_large_object_goes_up_in_parts_and_appears_once(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    boto3 = pytest.importorskip("boto3")
    url = request.getfixturevalue(kind)
    server = os.environ["AWS_ENDPOINT_URL"]
    monkeypatch.setattr(s3_parts, "PART", 5 << 20)
    content = np.random.default_rng(1).bytes(LARGE)
    with fault_proxy(server, share=0.5, seed=1) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        store = open_store(url, patience=60)
        store.create("deep/large", content, {"invdnkey": "1"}, content_type="image/tiff")
        assert proxy.requests["POST"] >= 2, "begun and ended"
        assert sum(proxy.faults.values()) >= 1
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    store = open_store(url)
    first = store.head("deep/large")
    assert first is not None and first.metadata is not None
    assert store.fetch("deep/large")[0] == content
    assert first.metadata["invdnkey"] == "1"
    client = boto3.client("s3", endpoint_url=server)

    def begun() -> int:
        found = client.list_multipart_uploads(Bucket=url.removeprefix("s3://"))
        return len(found.get("Uploads", []))

    before = begun()  # one whose number was lost with the answer
    with pytest.raises(ObjectExistsError, match="exists already"):
        store.create("deep/large", content[::-1])
    if kind == "seaweed_bucket":  # moto passes over If-Match here
        with pytest.raises(ChangedObjectError):
            store.replace("deep/none", content, etag=first.etag)
        with pytest.raises(ChangedObjectError):
            store.replace("deep/large", content, etag=f'"{0:032x}"')
    assert begun() == before, "nothing is left to be paid for"
    assert store.fetch("deep/large", first.etag)[0] == content, "it stays as it was"
    second = store.replace("deep/large", content[::-1])
    assert store.head("deep/large").etag == second.etag != first.etag


def test_a_large_object_without_boto3(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_parts, "PART", 1000)
    monkeypatch.setitem(sys.modules, "boto3", None)
    store = open_store(bucket)
    store.create("large", bytes(5000))
    with pytest.raises(ObjectExistsError):
        store.create("large", bytes(5000))
    assert store.fetch("large")[0] == bytes(5000)


def test_what_changed_is_not_read(store: Store) -> None:
    first = store.create("a", b"1")
    store.replace("a", b"2")
    with pytest.raises(ChangedObjectError, match="any more"):
        store.fetch("a", first.etag)


def test_what_is_not_there(store: Store) -> None:
    store.create("other", b"1")
    assert store.head("missing") is None
    for act in (store.fetch, lambda key: store.start(key, 4), lambda key: list(store.stream(key))):
        with pytest.raises(MissingObjectError):
            act("missing")


def test_parts(store: Store) -> None:
    content = bytes(range(256)) * 80_000  # more than two pieces
    store.create("large", content)
    assert store.start("large", 300) == content[:300]
    assert store.start("large", len(content) + 5) == content
    assert b"".join(store.stream("large")) == content


def test_the_first_bytes_of_an_empty_object(store: Store) -> None:
    store.create("empty", b"")
    assert store.fetch("empty")[0] == b""
    assert store.start("empty", 10) == b""
    assert list(store.stream("empty")) == []


def test_no_bucket(bucket: str) -> None:
    store = open_store("s3://no-such-bucket-here/in", patience=1)
    for act in (
        lambda: list(store.entries()),
        lambda: store.fetch("a"),
        lambda: store.create("a", b""),
    ):
        with pytest.raises(MissingObjectError, match="no bucket 'no-such-bucket-here'"):
            act()


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (403, "<Error><Code>AccessDenied</Code></Error>", AccessError, "AWS_ACCESS_KEY_ID"),
        (403, "<Error><Code>InvalidAccessKeyId</Code></Error>", AccessError, "credentials"),
        (301, "<Error><Code>PermanentRedirect</Code></Error>", StoreError, "AWS_REGION"),
        (
            400,
            "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region 'us-east-1' is "
            "wrong; expecting 'eu-west-1'</Message></Error>",
            StoreError,
            "AWS_REGION",
        ),
        (403, "<Error><Code>RequestTimeTooSkewed</Code></Error>", AccessError, "set the clock"),
        (503, "<Error><Code>SlowDown</Code></Error>", BusyStoreError, "cannot be reached for now"),
        (429, "<Error><Code>TooManyRequests</Code></Error>", BusyStoreError, "for now"),
        (500, "<Error><Code>InternalError</Code></Error>", BusyStoreError, "for now"),
    ],
)
def test_refusals_in_words(
    server: str,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    body: str,
    kind: type[StoreError],
    message: str,
) -> None:
    with fault_proxy(server, answer=lambda method, path: (status, body)) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        store = open_store(bucket, patience=0.5)
        for act in (
            lambda: list(store.entries()),
            lambda: store.head("a"),
            lambda: store.fetch("a"),
            lambda: store.create("a", b"1"),
        ):
            with pytest.raises(kind, match=message):
                act()


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch, bucket: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(BusyStoreError, match="for now"):
        open_store(bucket, patience=0.5).fetch("a")


def test_faults_are_sat_out(server: str, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with fault_proxy(server, share=0.3, seed=5) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        store = open_store(bucket, patience=60)
        for number in range(12):
            content = bytes([number]) * 5000
            store.create(f"{number:02d}", content)
            assert store.fetch(f"{number:02d}")[0] == content
        assert len(list(store.entries())) == 12
        assert {"busy", "lost"} <= set(proxy.faults)


def test_a_stop_ends_the_waiting(server: str, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        return len(waited) == 3

    with fault_proxy(server, answer=lambda method, path: (503, "")) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        with pytest.raises(BusyStoreError):
            open_store(bucket, wait=wait).fetch("a")
    assert len(waited) == 3
    assert waited == sorted(waited), "pauses grow"


def test_a_web_server_is_read_only(server: str, bucket: str) -> None:
    import boto3  # comes with the server

    open_store(bucket).create("in/a b.jpg", b"pixels")
    where = {"Bucket": bucket.removeprefix("s3://"), "Key": "in/a b.jpg"}
    boto3.client("s3", endpoint_url=server).put_object_acl(ACL="public-read", **where)
    web = open_store(f"{server}/{bucket.removeprefix('s3://')}/in")
    content, entry = web.fetch("a b.jpg")
    assert content == b"pixels" and entry.etag
    with pytest.raises(StoreError, match="--files-from"):
        list(web.entries())
    with pytest.raises(StoreError, match="only be read"):
        web.create("b", b"")


def test_a_web_server_of_weak_etags() -> None:
    pytest.importorskip("obstore")
    content = [b"first"]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            met = "If-Match" not in self.headers  # which compares strongly: RFC 9110, 13.1.1
            self.send_response(200 if met else 412)
            self.send_header("ETag", f'W/"{hash(content[0])}"')
            self.send_header("Content-Length", str(len(content[0]) if met else 0))
            self.end_headers()
            if met and self.command == "GET":
                self.wfile.write(content[0])

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        store = open_store(f"http://127.0.0.1:{server.server_address[1]}/in", patience=2)
        etag = store.head("a.jpg").etag
        assert store.fetch("a.jpg", etag)[0] == b"first"
        content[0] = b"other"
        with pytest.raises(ChangedObjectError):
            store.fetch("a.jpg", etag)
        server.shutdown()


@pytest.mark.parametrize("url", ["ftp://host/in", "s4://bucket", "file://relative/path"])
def test_other_urls(url: str) -> None:
    with pytest.raises(InputError, match=r"use s3://|whole path"):
        open_store(url)


@pytest.mark.parametrize("key", ["../outside", "a/../../b", "/etc/passwd", ""])
def test_no_key_leads_out_of_a_folder(tmp_path: Path, key: str) -> None:
    store = open_store(str(tmp_path / "in"))
    for act in (store.fetch, store.head, lambda key: store.create(key, b"1")):
        with pytest.raises(InputError):
            act(key)


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(str(tmp_path))
    store.create("a", b"1")
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")

    def write(path: Path, content: bytes) -> int:
        with full.open("wb", buffering=0) as file:
            return file.write(content)

    monkeypatch.setattr(Path, "write_bytes", write)
    with pytest.raises(FullStoreError, match="full"):
        store.create("b", b"1")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_permissions_of_a_file(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    store.create("a", b"1", mode=0o640)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) & ~0o640 == 0


def test_a_drive_without_notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOTSUP, "not supported")

    for name in ("setxattr", "getxattr"):
        monkeypatch.setattr(os, name, refuse, raising=False)
    store = open_store(str(tmp_path))
    store.create("a", b"1", {"invdnkey": "1"})
    assert store.head("a").metadata is None


@pytest.mark.parametrize("same_size", [False, True])
def test_a_file_that_changes_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, same_size: bool
) -> None:
    from invdn.stores import folders

    store = open_store(str(tmp_path))
    store.create("a", b"1" * 1000)
    real, calls = folders._entry, []

    def entry(*arguments: Any) -> Any:
        found = real(*arguments)
        if not calls:  # looked at, and not yet read
            (tmp_path / "a").write_bytes(b"2" * (1000 if same_size else 1500))
        calls.append(found)
        return found

    monkeypatch.setattr(folders, "_entry", entry)
    with pytest.raises(ChangedObjectError):
        store.fetch("a")
    assert store.fetch("a")[0] == b"2" * (1000 if same_size else 1500)


def test_an_object_that_changes_while_it_is_streamed(bucket: str) -> None:
    store = open_store(bucket)
    store.create("large", bytes(20 << 20))
    pieces = store.stream("large")
    next(pieces)
    store.replace("large", bytes(20 << 20) + b"1")
    with pytest.raises(ChangedObjectError):
        list(pieces)


def test_who_waits_for_a_store_is_told_once(
    bucket: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []

    def answer(method: str, path: str) -> tuple[int, str] | None:
        asked.append(path)
        return (503, "") if len(asked) < 4 else None

    monkeypatch.setattr("invdn.stores.objects._PAUSES", (0.01, 0.01))
    monkeypatch.setattr("invdn.stores.objects._WARN_AFTER", 0)
    open_store(bucket).create("a.jpg", b"1")
    with behind_proxy(bucket, monkeypatch, answer) as (store, _):
        assert store.fetch("a.jpg")[0] == b"1"
    (told,) = caplog.messages
    assert "a.jpg cannot be reached for now" in told and "trying again for 10 s" in told
