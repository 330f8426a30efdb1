"""Behind proxies and under managers of services: with their own settings, and with ours."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from invdn.cli.serve import command
from support.proxies import caddy, nginx
from support.serving import Server, running

DEPLOY = Path(__file__).parents[2] / "deploy" / "service"
WORDS = "open-sesame"


def _round(base: str, pictures: Path, prefix: str = "") -> dict[str, Any]:
    """Send a photograph, watch its job and fetch the result, by the links that are told."""
    body = (pictures / "plain.png").read_bytes()
    with httpx.Client(base_url=base, timeout=60) as client:
        page = client.get(f"{prefix}/")
        assert page.status_code == 200
        for address in re.findall(r'(?:src|href)="([^"]+)"', page.text):
            assert not address.startswith(("/", "http")), "relative, wherever the page lies"
            assert client.get(f"{prefix}/{address}").status_code == 200, address
        answer = client.post(f"{prefix}/api/v1/jobs?name=a.png", content=body)
        assert answer.status_code == 202, answer.text
        links = answer.json()["links"]
        assert answer.headers["location"] == links["self"]
        assert links["self"].startswith(f"{prefix}/api/v1/jobs/")
        with client.stream("GET", links["events"]) as events:
            told = [line for line in events.iter_lines() if line.startswith("data: ")]
        job: dict[str, Any] = json.loads(told[-1].removeprefix("data: "))
        assert job["state"] == "done"
        assert client.get(job["links"]["result"]).status_code == 200
        listed = client.get(f"{prefix}/api/v1/jobs?limit=1").json()
        if listed["next"]:
            assert client.get(listed["next"]).status_code == 200
        assert client.delete(job["links"]["self"]).status_code == 204
        return job


def test_behind_nginx_as_most_people_write_it(
    server: Server, pictures: Path, tmp_path: Path
) -> None:
    servers = f"""server {{ listen 127.0.0.1:PORT;
      location / {{ proxy_pass http://127.0.0.1:{server.port}; }} }}"""
    with nginx(tmp_path / "nginx", servers) as address:
        _round(address, pictures)
        # a browser names the public host, and nginx the service's
        own = {"Origin": "http://photos.example", "X-Requested-With": "InvDN"}
        body = (pictures / "tiny.png").read_bytes()
        assert httpx.post(f"{address}/api/v1/photos", content=body, headers=own).status_code == 201
        script = httpx.get(f"{address}/assets/main.js", headers={"Origin": own["Origin"]})
        assert script.status_code == 200
        foreign = {"Origin": "http://evil.example"}
        refused = httpx.post(f"{address}/api/v1/photos", content=body, headers=foreign)
        assert refused.status_code == 403


@pytest.mark.parametrize("cut", ["/", ""])
def test_below_a_path_that_nginx_cuts_off_or_not(pictures: Path, tmp_path: Path, cut: str) -> None:
    with running(tmp_path, root_path="/invdn", trusted_proxies=[]) as server:
        servers = f"""server {{ listen 127.0.0.1:PORT;
          location /invdn/ {{ proxy_pass http://127.0.0.1:{server.port}{cut}; }} }}"""
        with nginx(tmp_path / "nginx", servers) as address:
            _round(address, pictures, "/invdn")
            document = httpx.get(f"{address}/invdn/api/v1/openapi.json").json()
            assert len(document["servers"]) == 1
            assert document["servers"][0]["url"] == "../.."
            assert httpx.get(f"{address}/invdn/docs").status_code == 200


def test_a_trusted_proxy_tells_path_client_and_scheme(tmp_path: Path, pictures: Path) -> None:
    with running(tmp_path, token=WORDS, trusted_proxies=["127.0.0.0/8"]) as server:
        headers = {"X-Forwarded-Prefix": "/a/b", "X-Forwarded-Proto": "https"}
        opened = server.client.post("/api/v1/session", json={"token": WORDS}, headers=headers)
        assert opened.headers["set-cookie"].startswith("__Host-invdn=")
        token = {"Authorization": f"Bearer {WORDS}", "Host": "photos.example"}
        sent = server.client.post(
            "/api/v1/photos",
            content=(pictures / "tiny.png").read_bytes(),
            headers={**headers, **token},
        )
        assert sent.headers["location"].startswith("/a/b/api/v1/photos/")


def test_behind_nginx_with_our_settings(tmp_path: Path, pictures: Path) -> None:
    with running(tmp_path, trusted_proxies=["127.0.0.1"]) as server:
        text = (DEPLOY / "nginx.conf").read_text()
        text = text.replace("invdn:8642", f"127.0.0.1:{server.port}")
        text = text.replace("listen 80;", "listen 127.0.0.1:PORT;")
        with nginx(tmp_path / "nginx", text) as address:
            _round(address, pictures)
            big = bytes(2_000_000)  # more than nginx takes of itself
            assert httpx.post(f"{address}/api/v1/photos", content=big).status_code == 415


@pytest.mark.parametrize("path", ["", "/invdn"])
def test_behind_caddy(tmp_path: Path, pictures: Path, path: str) -> None:
    with running(tmp_path, trusted_proxies=["127.0.0.1"], root_path=path) as server:
        text = (DEPLOY / "Caddyfile").read_text()
        text = text.replace("invdn:8642", f"127.0.0.1:{server.port}")
        text = text.replace("\n:80 {", "\nhttp://127.0.0.1:PORT {")
        if path:
            text = text.replace("reverse_proxy", f"reverse_proxy {path}/*")
        with caddy(tmp_path / "caddy", text) as address:
            _round(address, pictures, path)
            big = bytes(2_000_000)
            sent = httpx.post(f"{address}{path}/api/v1/photos", content=big)
            assert sent.status_code == 415


def test_systemd_reads_the_unit(tmp_path: Path) -> None:
    text = (DEPLOY / "invdn.service").read_text()
    _knows(re.findall(r"ExecStart=\S+ (.+)", text)[0].split())
    stop = float(re.findall(r"TimeoutStopSec=(\d+)", text)[0])
    assert stop >= 10
    program = shutil.which("systemd-analyze")
    if not program:
        pytest.skip("needs systemd-analyze")
    unit = tmp_path / "invdn.service"
    unit.write_text(text.replace("/opt/invdn/bin/invdn", "/bin/true"))
    ran = subprocess.run([program, "verify", unit], capture_output=True, text=True, check=False)
    assert "invdn.service" not in ran.stderr, ran.stderr
    safe = subprocess.run(
        [program, "security", "--offline=true", unit], capture_output=True, text=True, check=False
    )
    exposure = re.search(r"Overall exposure level.*: ([\d.]+)", safe.stdout)
    if exposure:
        assert float(exposure[1]) < 2.5, safe.stdout


@pytest.mark.parametrize("path", ["compose.yaml", "kubernetes/invdn.yaml"])
def test_manifests_say_what_the_service_knows(path: str) -> None:
    yaml = pytest.importorskip("yaml")
    documents = list(yaml.safe_load_all((DEPLOY / path).read_text()))
    text = (DEPLOY / path).read_text()
    for arguments in re.findall(r"(?:command|args): \[(.+?)\]", text):
        _knows(arguments.split(", "))
    variables = {option.name.upper() for option in command.params if option.name}
    for name in re.findall(r"INVDN_(\w+):|name: INVDN_(\w+)", text):
        assert set(filter(None, name)) <= variables, name
    if path == "compose.yaml":
        _composes(DEPLOY / path)
        assert set(documents[0]["services"]) == {"invdn", "nginx"}
        return
    validator = pytest.importorskip("kubernetes_validate")
    for document in documents:
        validator.validate(document, validator.latest_version(), strict=True)
    kinds = [document["kind"] for document in documents]
    assert kinds == ["PersistentVolumeClaim", "Deployment", "Service"]
    pod = documents[1]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    probes = {container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("liveness", "readiness")}
    assert probes == {"/healthz", "/readyz"}
    assert pod["terminationGracePeriodSeconds"] > 10
    assert {v["name"] for v in pod["volumes"]} == {m["name"] for m in container["volumeMounts"]}


def _composes(path: Path) -> None:
    """Have the program that runs such files read one, where there is one."""
    environment = {**os.environ, "INVDN_TOKEN": WORDS}
    docker = ["docker", "compose"]
    for program in (docker, ["docker-compose"]):
        if not shutil.which(program[0]):
            continue
        if program is docker and subprocess.run([*docker, "version"], check=False).returncode:
            continue  # docker without this part of it
        command = [*program, "-f", str(path), "config"]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert ran.returncode == 0, ran.stderr
        assert WORDS in ran.stdout
        return


def _knows(arguments: list[str]) -> None:
    assert arguments[0] == "serve"
    known = {name for option in command.params for name in option.opts}
    assert {one for one in arguments if one.startswith("--")} <= known


def test_options_come_from_the_environment(tmp_path: Path) -> None:
    environment = {"INVDN_MAX_QUEUE": "7", "INVDN_LIFETIME": "33", "INVDN_ALLOW_HOST": "a.example"}
    with running(tmp_path, "--access-log", "--log-format", "json", environment=environment) as one:
        limits = one.client.get("/api/v1/service").json()["limits"]
        assert (limits["queue"], limits["result_lifetime"]) == (7, 33)
        named = one.client.get("/api/v1/models", headers={"Host": "a.example"})
        assert named.status_code == 200
        told = one.client.get("/nothing", headers={"X-Request-ID": "given-1"})
        assert told.headers["x-request-id"] == "given-1"
        odd = one.client.get("/nothing", headers={"X-Request-ID": "x y\tz"})
        assert re.fullmatch(r"[0-9a-f]{16}", odd.headers["x-request-id"])
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    (line,) = [line for line in lines if line.get("request_id") == "given-1"]
    assert (line["method"], line["path"], line["status"]) == ("GET", "/nothing", 404)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", line["time"])


def test_a_token_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("open-sesame-8\n")
    with running(tmp_path, "--token-file", str(tmp_path / "token")) as server:
        assert server.client.get("/api/v1/models").status_code == 401
        headers = {"Authorization": "Bearer open-sesame-8"}
        assert server.client.get("/api/v1/models", headers=headers).status_code == 200
