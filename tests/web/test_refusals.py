"""What the service refuses, and that it says so as RFC 9457 wants it."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from invdn.errors import OutputError
from invdn.photo.photo import Photo
from invdn.photo.write import write_photo
from invdn.web.errors import full_disk, tells_of_full_disk
from support.bombs import dng_of_one_tile, heic_of_one_tile
from support.serving import Server, running

WORDS = "open+sesame;1"


def _refused(answer: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["type"] == f"urn:invdn:problem:{kind}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    return problem


@pytest.mark.parametrize(
    "path", ["/nothing", "/api/v1/jobs/abc", "/api/v1/photos/abc", "/assets/x"]
)
def test_404(server: Server, path: str) -> None:
    _refused(server.client.get(path), 404, "not-found")


def test_405(server: Server) -> None:
    answer = server.client.put("/api/v1/denoise")
    _refused(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"quality": "superb"}, "quality"),
        ({"self_ensemble": "3"}, "self_ensemble"),
        ({"num_samples": "0"}, "num_samples"),
        ({"draws": "2"}, "draws"),
        ({"num_samples": "many"}, "num_samples"),
        ({"seed": "-1"}, "seed"),
        ({"latent_std": "nan"}, "latent_std"),
        ({"tile_size": "9"}, "tile_size"),
        ({"colour": "blue"}, "colour"),
        ({"model": "/etc/passwd"}, "model"),
    ],
)
def test_422_for_an_option(
    server: Server, pictures: Path, parameters: dict[str, str], name: str
) -> None:
    noisy = (pictures / "plain.png").read_bytes()
    answers = [
        server.client.post("/api/v1/denoise", params=parameters, content=noisy),
        server.client.post("/api/v1/denoise", data=parameters, files={"photo": noisy}),
        server.client.post("/api/v1/jobs", params=parameters, content=noisy),
    ]
    for answer in answers:
        problem = _refused(answer, 422, "invalid")
        assert problem["errors"][0]["name"] == name


def test_422_for_other_reasons(server: Server, pictures: Path) -> None:
    noisy = (pictures / "plain.png").read_bytes()
    post = server.client.post
    assert "no photograph" in _refused(post("/api/v1/denoise"), 422, "invalid")["detail"]
    _refused(post("/api/v1/denoise", files={"picture": ("a.png", noisy)}), 422, "invalid")
    two = [("photo", ("a.png", noisy)), ("photo", ("b.png", noisy))]
    _refused(post("/api/v1/denoise", files=two), 422, "invalid")
    twice = post("/api/v1/denoise?seed=1", data={"seed": "2"}, files={"photo": noisy})
    _refused(twice, 422, "invalid")
    long = post("/api/v1/denoise", data={"name": "x" * 2000}, files={"photo": noisy})
    _refused(long, 422, "invalid")
    photo = post("/api/v1/photos", content=noisy).json()
    for region in ("x=40&y=0&w=13&h=1", "x=0&y=0&w=0&h=1", "x=0&y=0&w=1", "x=-1&y=0&w=1&h=1"):
        for kind in ("preview", "rendering"):
            _refused(server.client.get(f"{photo['links'][kind]}?{region}"), 422, "invalid")
    large = post("/api/v1/jobs", params={"photo": photo["id"], "latent_std": 1e300})
    assert "less than or equal to 100" in _refused(large, 422, "invalid")["detail"]


def test_400_for_a_form_that_is_none(server: Server) -> None:
    for kind in ("multipart/form-data", "multipart/form-data; boundary=x"):
        answer = server.client.post(
            "/api/v1/denoise", content=b"--y\r\nnot a form", headers={"Content-Type": kind}
        )
        _refused(answer, 400, "bad-request")


@pytest.mark.parametrize(
    "content", [b"x", b"8BPS" + bytes(40), b"%PDF-1.7" + bytes(40), bytes(5000), b"<svg>" * 20]
)
def test_415(server: Server, content: bytes) -> None:
    _refused(server.client.post("/api/v1/denoise", content=content), 415, "unsupported")
    _refused(
        server.client.post("/api/v1/jobs", files={"photo": ("a.jpg", content)}), 415, "unsupported"
    )


def test_415_for_an_encoding(server: Server, pictures: Path) -> None:
    answer = server.client.post(
        "/api/v1/denoise",
        content=zlib.compress((pictures / "plain.png").read_bytes()),
        headers={"Content-Encoding": "deflate"},
    )
    _refused(answer, 415, "unsupported")


def test_413_by_bytes(strict: Server, pictures: Path) -> None:
    start = (pictures / "plain.png").read_bytes()
    too_much = start + bytes(400_000)
    _refused(strict.client.post("/api/v1/denoise", content=too_much), 413, "too-large")
    _refused(strict.client.post("/api/v1/denoise", files={"photo": too_much}), 413, "too-large")

    def pieces() -> Iterator[bytes]:  # without a length: counted on the way
        yield start
        for _ in range(40):
            yield bytes(10_000)

    _refused(strict.client.post("/api/v1/denoise", content=pieces()), 413, "too-large")


def _png_head(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    rows = zlib.compress(bytes(200_000), 9)
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_413_by_pixels_before_they_are_decoded(strict: Server, server: Server) -> None:
    small_bomb = _png_head(20_000, 20_000)
    assert len(small_bomb) < 1000
    for bombed in (strict, server):
        problem = _refused(
            bombed.client.post("/api/v1/denoise", content=small_bomb), 413, "too-large"
        )
        assert "20000x20000" in problem["detail"]
    sensor = dng_of_one_tile(30_000, 30_000, (500, 300))
    for bomb, size in ((sensor, "30000x30000"), (heic_of_one_tile(11, 10), "11264x10240")):
        answer = server.client.post("/api/v1/photos", content=bomb)
        assert size in _refused(answer, 413, "too-large")["detail"]
    # within the limit of pixels, but a lie: the rows are not there
    _refused(server.client.post("/api/v1/denoise", content=_png_head(9000, 9000)), 422, "invalid")


def test_413_by_memory(tmp_path: Path) -> None:
    path = tmp_path / "flat.png"
    write_photo(Photo(np.zeros((1000, 2400, 3), np.uint8)), path)
    with running(tmp_path, max_memory=64 << 20) as small:
        engine = small.workers("engine")[0]
        answer = small.client.post(
            "/api/v1/denoise", params={"tile_size": 0}, content=path.read_bytes()
        )
        problem = _refused(answer, 413, "too-large")
        assert "64 MiB" in problem["detail"]
        assert small.workers("engine")[0] == engine


def test_422_for_a_large_preview(strict: Server, pictures: Path) -> None:
    photo = strict.client.post("/api/v1/photos", content=(pictures / "plain.png").read_bytes())
    preview = photo.json()["links"]["preview"]
    _refused(strict.client.get(f"{preview}?x=0&y=0&w=52&h=40"), 422, "invalid")
    # context around the region does not lift the limit
    assert strict.client.get(f"{preview}?x=0&y=0&w=9&h=9&tile_overlap=1024").status_code == 200


def test_429_and_503(strict: Server, pictures: Path) -> None:
    slow = (pictures / "slow.png").read_bytes()
    photo = strict.client.post("/api/v1/photos", content=slow).json()
    jobs = [
        strict.client.post("/api/v1/jobs", params={"photo": photo["id"], "num_samples": 1000})
        for _ in range(3)
    ]
    assert [job.status_code for job in jobs] == [202] * 3
    for path in ("/api/v1/denoise", "/api/v1/jobs"):
        answer = strict.client.post(path, content=slow)
        _refused(answer, 429, "queue-full")
        assert int(answer.headers["retry-after"]) >= 1
    # a photograph needs no place in the queue
    sent = strict.client.post("/api/v1/photos", content=slow)
    assert strict.client.delete(sent.headers["location"]).status_code == 204
    for job in jobs:
        strict.client.delete(job.json()["links"]["self"])
    held = 0
    while held < 20 and strict.client.post("/api/v1/photos", content=slow).status_code == 201:
        held += 1
    answer = strict.client.post("/api/v1/photos", content=slow)
    assert held < 20
    assert "of yours" in _refused(answer, 503, "unavailable")["detail"]
    assert int(answer.headers["retry-after"]) >= 1


def test_422_for_too_much_work(tmp_path: Path, pictures: Path) -> None:
    with running(tmp_path, max_work=64 * 64 * 10) as server:
        noisy = (pictures / "plain.png").read_bytes()
        photo = server.client.post("/api/v1/photos", content=noisy).json()["id"]
        for options in ({"num_samples": 10}, {"quality": "best"}):
            for path, query, body in (
                ("/api/v1/denoise", options, noisy),
                ("/api/v1/jobs", options, noisy),
                ("/api/v1/jobs", {**options, "photo": photo}, None),
            ):
                answer = server.client.post(path, params=query, content=body)
                problem = _refused(answer, 422, "invalid")
                assert "--max-megapixel-passes" in problem["detail"]
        enough = server.client.post("/api/v1/denoise", params={"num_samples": 9}, content=noisy)
        assert enough.status_code == 200
        kept = server.client.get("/api/v1/photos").json()["photos"]
        assert [one["id"] for one in kept] == [photo], "what came with a refused job is gone"


def test_401_the_cookie_of_the_page_and_504(tmp_path: Path, pictures: Path) -> None:
    with running(tmp_path, token=WORDS, max_seconds=1) as server:
        client = server.client
        for path in ("/api/v1/models", "/metrics", "/api/v1/openapi.json", "/docs"):
            answer = client.get(path)
            _refused(answer, 401, "unauthorized")
            assert answer.headers["www-authenticate"] == "Bearer"
        wrong = client.get("/api/v1/models", headers={"Authorization": "Bearer open+sesamE"})
        _refused(wrong, 401, "unauthorized")
        right = client.get("/api/v1/models", headers={"Authorization": f"Bearer {WORDS}"})
        assert right.status_code == 200
        assert client.get("/healthz").status_code == 200
        assert client.get("/api/v1/session").json() == {"needed": True, "open": False}
        for strange in ("open-sesamE", "€", "a;b"):
            answer = client.get("/", params={"token": strange})  # the page, which asks for it
            assert (answer.status_code, answer.headers["content-type"]) == (
                401,
                "text/html; charset=utf-8",
            )
            _refused(client.post("/api/v1/session", json={"token": strange}), 401, "unauthorized")
        entrance = client.get("/", params={"token": WORDS})
        assert (entrance.status_code, entrance.headers["location"]) == (303, "./")
        cookie = entrance.headers["set-cookie"]
        assert cookie.startswith(f"invdn-{server.port}=")
        assert "HttpOnly" in cookie and "SameSite=strict" in cookie
        assert WORDS not in cookie and "open" not in cookie
        assert client.get("/api/v1/models").status_code == 200  # the cookie
        assert client.get("/api/v1/session").json() == {"needed": True, "open": True}
        answer = client.post(
            "/api/v1/denoise",
            params={"num_samples": 1000},
            content=(pictures / "slow.png").read_bytes(),
        )
        assert "more than 1 seconds" in _refused(answer, 504, "too-long")["detail"]
        assert client.delete("/api/v1/session").status_code == 204
        client.cookies.set(f"invdn-{server.port}", cookie.partition(";")[0].partition("=")[2])
        assert client.get("/api/v1/models").status_code == 401, "the session has ended"
        # under HTTPS the cookie is bound to the host
        headers = {"X-Forwarded-Proto": "https"}
        entrance = client.post("/api/v1/session", json={"token": WORDS}, headers=headers)
        assert entrance.headers["set-cookie"].startswith("__Host-invdn=")
        assert "Secure" in entrance.headers["set-cookie"]
        assert "Path=/" in entrance.headers["set-cookie"]


def test_429_for_guessing(tmp_path: Path) -> None:
    with running(tmp_path, token=WORDS) as server:
        cookie = server.client.get("/", params={"token": WORDS}).headers["set-cookie"]
        session = cookie.partition(";")[0]
        server.client.cookies.clear()
        for _ in range(20):
            wrong = server.client.get("/metrics", headers={"Authorization": "Bearer wrong-token"})
            assert wrong.status_code == 401
        right = {"Authorization": f"Bearer {WORDS}"}
        answer = server.client.get("/metrics", headers=right)
        _refused(answer, 429, "too-many-attempts")
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        page = server.client.get("/", params={"token": WORDS})  # which says so in words
        assert page.status_code == 429
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        entered = server.client.get("/metrics", headers={"Cookie": session})
        assert entered.status_code == 200, "who has come in before stays"
        other = {**right, "X-Forwarded-For": "203.0.113.7"}  # another client, behind a proxy
        assert server.client.get("/metrics", headers=other).status_code == 200
        assert server.client.get("/healthz", headers=right).status_code == 200


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_503_for_a_full_disk() -> None:
    with pytest.raises(OSError, match="No space") as told, Path("/dev/full").open("wb") as full:
        full.write(b"photo")
        full.flush()
    assert tells_of_full_disk(told.value)
    try:
        raise OutputError("cannot write 'x'") from told.value
    except OutputError as error:
        assert tells_of_full_disk(error)
    assert not tells_of_full_disk(OutputError("cannot write 'x': the ending names no format"))
    assert full_disk().status == 503
