"""Clients that mean no good, or do not know better."""

import random
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from support.serving import Server

FUZZED = 1000


def _connected(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=120)


def _rest(connection: socket.socket) -> bytes:
    """Everything until the server hangs up."""
    received = b""
    try:
        while data := connection.recv(65536):
            received += data
    except ConnectionResetError:
        pass
    return received


@pytest.mark.parametrize("start", [b"", b"POST /api/v1/denoise HTTP/1.1\r\nHost: 127.0.0.1\r\nX-"])
def test_a_head_that_never_ends_is_cut_off(strict: Server, start: bytes) -> None:
    with _connected(strict) as connection:
        connection.sendall(start)
        begun = time.monotonic()
        answer = b""
        while time.monotonic() - begun < 15:  # one byte now and then keeps nothing alive
            try:
                if start:
                    connection.sendall(b"a")
                connection.settimeout(0.2)
                answer = connection.recv(100)
                break
            except TimeoutError:
                continue
            except OSError:
                break
        else:
            raise AssertionError("the connection is still open")
        assert answer == b""


def test_a_second_head_that_never_ends_is_cut_off(strict: Server) -> None:
    with _connected(strict) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /hea")
        assert _rest(connection).count(b"HTTP/1.1 200") == 1


@pytest.mark.parametrize("form", [False, True])
def test_a_body_that_drips_is_refused(strict: Server, pictures: Path, form: bool) -> None:
    kind = b"multipart/form-data; boundary=b" if form else b"image/png"
    body = (pictures / "plain.png").read_bytes()[:100]
    if form:
        body = b'--b\r\nContent-Disposition: form-data; name="photo"\r\n\r\n' + body
    with _connected(strict) as connection:
        connection.sendall(
            b"POST /api/v1/denoise HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 200000\r\n"
            b"Content-Type: " + kind + b"\r\n\r\n"
        )
        try:
            for byte in body + bytes(200):
                connection.sendall(bytes([byte]))
                time.sleep(0.05)  # never silent for long, and far too slow
        except OSError:
            pass
        answer = _rest(connection)
    # the answer may be lost with a client that goes on sending, but not the service
    assert answer == b"" or answer.startswith(b"HTTP/1.1 408")
    assert strict.client.get("/readyz").status_code == 200


def test_a_body_that_stands_still_is_told_so(strict: Server) -> None:
    with _connected(strict) as connection:
        connection.sendall(
            b"POST /api/v1/denoise HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2000\r\n\r\n"
        )
        answer = _rest(connection)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"urn:invdn:problem:timeout" in answer


def test_a_client_that_takes_nothing_is_dropped(strict: Server) -> None:
    asked = 600  # answers of 40 MB, more than the system's buffers hold
    with _connected(strict) as connection:
        request = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        with suppress(ConnectionError):
            connection.sendall(request * asked)
        time.sleep(4)
        assert strict.client.get("/readyz").status_code == 200
        assert _rest(connection).count(b"HTTP/1.1 200") < asked


def test_other_names_are_not_answered_to(server: Server) -> None:
    for name in ("evil.example", "127.0.0.1.evil.example", "", "localhost.evil.example:80", "[::"):
        answer = server.client.get("/api/v1/models", headers={"Host": name})
        assert answer.status_code == 421, name
        assert answer.json()["type"] == "urn:invdn:problem:misdirected"
    for name in ("localhost", f"LOCALHOST:{server.port}", "127.0.0.1", "[::1]:80"):
        assert server.client.get("/api/v1/models", headers={"Host": name}).status_code == 200


def test_other_sites_may_not_use_it(server: Server, pictures: Path) -> None:
    noisy = (pictures / "plain.png").read_bytes()
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://[x"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
    ):
        answer = server.client.post("/api/v1/denoise", content=noisy, headers=headers)
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers
    own = f"http://127.0.0.1:{server.port}"
    for headers in (
        {"Origin": own, "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ):
        answer = server.client.post("/api/v1/photos", content=noisy, headers=headers)
        assert answer.status_code == 201
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert server.client.get("/healthz", headers=link).status_code == 200


def test_every_answer_carries_the_headers_of_safety(server: Server) -> None:
    for path, host in (("/healthz", "127.0.0.1"), ("/nothing", "127.0.0.1"), ("/", "evil.example")):
        headers = server.client.get(path, headers={"Host": host}).headers
        assert headers["content-security-policy"].startswith(
            "default-src 'none'; script-src 'self'"
        )
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in headers


@pytest.mark.parametrize(
    "path", ["/assets/../../api.py", "/assets/%2e%2e/%2e%2e/api.py", "/assets//etc/passwd"]
)
def test_nothing_else_is_served(server: Server, path: str) -> None:
    with _connected(server) as connection:
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
        )
        assert _rest(connection).startswith(b"HTTP/1.1 404")


def test_temporary_files_are_private(server: Server, pictures: Path) -> None:
    server.client.post("/api/v1/photos", content=(pictures / "plain.png").read_bytes())
    (root,) = server.folder.glob("invdn-serve-*")
    assert root.stat().st_mode & 0o777 == 0o700
    for path in root.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0 or path.parent != root, path


def _mutated(random_: random.Random, originals: list[bytes]) -> bytes:
    """One damaged body: cut, overwritten, spliced, repeated, or nothing but chance."""
    body = bytearray(random_.choice(originals))
    match random_.randrange(6):
        case 0:
            del body[random_.randrange(len(body)) :]
        case 1:
            for _ in range(random_.randrange(1, 30)):
                body[random_.randrange(len(body))] = random_.randrange(256)
        case 2:  # where the head lies
            for _ in range(random_.randrange(1, 4)):
                body[random_.randrange(min(120, len(body)))] = random_.choice((0, 1, 127, 255))
        case 3:
            place = random_.randrange(len(body))
            body[place:place] = random_.randbytes(random_.randrange(1, 200))
        case 4:
            other = random_.choice(originals)
            body = body[: random_.randrange(len(body))] + other[random_.randrange(len(other)) :]
        case _:
            body = bytearray(random_.choice(originals)[:16]) + random_.randbytes(300)
    return bytes(body)


@pytest.mark.slow
def test_fuzzed_bodies_bring_no_500(server: Server, pictures: Path) -> None:
    originals = [path.read_bytes() for path in sorted(pictures.glob("tiny.*"))]
    boundary = b'--b\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\n'
    chance = random.Random(8)
    workers = server.workers()
    requests = []
    for number in range(FUZZED):
        body, headers = _mutated(chance, originals), {}
        if number % 5 == 0:
            form = boundary + body + b"\r\n--b--\r\n"
            body = form if number % 10 else _mutated(chance, [form])
            headers = {"Content-Type": "multipart/form-data; boundary=b"}
        requests.append((body, headers))

    def send(request: tuple[bytes, dict[str, str]]) -> int:
        body, headers = request
        answer = server.client.post("/api/v1/denoise", content=body, headers=headers)
        assert answer.status_code < 500, answer.text
        return answer.status_code

    with ThreadPoolExecutor(16) as clients:
        statuses = Counter(clients.map(send, requests))
    assert set(statuses) <= {200, 400, 413, 415, 422}, statuses
    assert statuses[422] > 100
    assert statuses[200] > 20
    assert server.workers() == workers  # none has died
