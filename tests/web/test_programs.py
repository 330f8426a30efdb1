"""What programs expect of HTTP: HEAD, Range, tags, Prefer, JSON, keys, lists, events."""

import io
import json
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.serving import Server, running


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose lists no other test fills."""
    with running(tmp_path_factory.mktemp("programs"), max_queue=40) as started:
        yield started


@pytest.fixture(scope="module")
def job(own: Server, pictures: Path) -> dict[str, Any]:
    """A job that is done."""
    body = (pictures / "plain.png").read_bytes()
    query = {"name": "my photo.png", "quality": "balanced"}
    return own.job(own.client.post("/api/v1/jobs", params=query, content=body))


def test_head_is_get_without_a_body(own: Server, job: dict[str, Any]) -> None:
    for path in (
        "/",
        "/healthz",
        "/readyz",
        "/docs",
        "/assets/main.js",
        "/api/v1/jobs",
        *(path for name, path in job["links"].items() if name != "events"),
        job["photo"]["links"]["rendering"],
    ):
        got, head = own.client.get(path), own.client.head(path)
        assert (head.status_code, head.content) == (got.status_code, b""), path
        assert head.headers["content-type"] == got.headers["content-type"]
        if path == job["links"]["result"]:
            assert head.headers["content-length"] == str(len(got.content))


def test_a_part_of_a_result(own: Server, job: dict[str, Any]) -> None:
    path = job["links"]["result"]
    whole = own.client.get(path)
    assert whole.headers["accept-ranges"] == "bytes"
    part = own.client.get(path, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole.content)}"
    rest = own.client.get(path, headers={"Range": "bytes=100-", "If-Range": whole.headers["etag"]})
    assert rest.content == whole.content[100:]
    changed = own.client.get(path, headers={"Range": "bytes=100-", "If-Range": '"other"'})
    assert (changed.status_code, changed.content) == (200, whole.content)
    beyond = own.client.get(path, headers={"Range": "bytes=9999999-"})
    assert beyond.status_code == 416


def test_what_a_client_has_is_not_sent_again(own: Server, job: dict[str, Any]) -> None:
    rendering = job["links"]["rendering"]
    for path in (
        job["links"]["result"],
        job["links"]["uncertainty"],
        f"{rendering}?max_side=20",
        f"{job['photo']['links']['rendering']}?format=raw",
    ):
        first = own.client.get(path)
        tag = first.headers["etag"]
        for known in (tag, f'"x", W/{tag}', "*"):
            again = own.client.get(path, headers={"If-None-Match": known})
            assert (again.status_code, again.content) == (304, b""), (path, known)
            assert again.headers["etag"] == tag
        other = own.client.get(path, headers={"If-None-Match": '"x"'})
        assert (other.status_code, other.content) == (200, first.content)
    one, two = (own.client.get(f"{rendering}?max_side={side}").headers["etag"] for side in (9, 10))
    assert one != two


def test_a_client_that_does_not_wait(own: Server, pictures: Path) -> None:
    body = (pictures / "slow.png").read_bytes()
    for prefer, applied in (("respond-async", "respond-async"), ("wait=1", "wait=1")):
        answer = own.client.post(
            "/api/v1/denoise?num_samples=1000", content=body, headers={"Prefer": prefer}
        )
        assert answer.status_code == 202, answer.text
        assert answer.headers["preference-applied"] == applied
        document = answer.json()
        assert answer.headers["location"] == document["links"]["self"]
        cancelled = own.client.delete(document["links"]["self"]).json()
        assert cancelled["state"] == "cancelled"
    small = (pictures / "tiny.png").read_bytes()
    answer = own.client.post("/api/v1/denoise", content=small, headers={"Prefer": "wait=60"})
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/png"


def test_a_job_by_json(own: Server, pictures: Path) -> None:
    sent = own.client.post("/api/v1/photos", content=(pictures / "tiny.png").read_bytes()).json()
    asked = {"photo": sent["id"], "strength": 0.5, "num_samples": 2}
    job = own.job(own.client.post("/api/v1/jobs", json=asked))
    assert job["options"]["strength"] == 0.5 and job["options"]["num_samples"] == 2
    for body, words in (
        ({**asked, "strenght": 1}, "did you mean 'strength'"),
        ({**asked, "strength": 1.5}, "from 0 to 1"),
        ({"strength": 1}, "name a photograph"),
    ):
        refused = own.client.post("/api/v1/jobs", json=body)
        assert refused.status_code == 422, refused.text
        assert words in refused.json()["detail"]
    headers = {"Content-Type": "application/json"}
    for text, status in ((b"[1]", 400), (b"{", 400), (b'{"a": "' + b"x" * 70_000 + b'"}', 413)):
        refused = own.client.post("/api/v1/jobs", content=text, headers=headers)
        assert refused.status_code == status


def test_the_same_key_makes_one_job(own: Server, pictures: Path) -> None:
    body = (pictures / "tiny.png").read_bytes()
    headers = {"Idempotency-Key": "8c1f"}
    answers: list[httpx.Response] = []

    def ask() -> None:
        query = {"name": "key.png", "seed": 4}
        answers.append(own.client.post("/api/v1/jobs", params=query, content=body, headers=headers))

    asking = [threading.Thread(target=ask) for _ in range(6)]
    for one in asking:
        one.start()
    for one in asking:
        one.join()
    assert {answer.status_code for answer in answers} == {202}
    (identifier,) = {answer.json()["id"] for answer in answers}
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 5
    listed = own.client.get("/api/v1/jobs?limit=200").json()["jobs"]
    assert sum(one["photo"]["name"] == "key.png" for one in listed) == 1
    other = own.client.post("/api/v1/jobs?seed=5", content=body, headers=headers)
    assert other.status_code == 422 and "another request" in other.json()["detail"]
    for wrong in ("", "x" * 300):
        refused = own.client.post("/api/v1/jobs", content=body, headers={"Idempotency-Key": wrong})
        assert refused.status_code == 400
    by_json = {"photo": listed[0]["photo"]["id"], "seed": 9}
    twice = [
        own.client.post("/api/v1/jobs", json=by_json, headers={"Idempotency-Key": "json"}).json()
        for _ in range(2)
    ]
    assert twice[0]["id"] == twice[1]["id"]
    own.until(identifier, lambda job: job["state"] == "done")


def test_lists_come_in_pages(own: Server, pictures: Path) -> None:
    body = (pictures / "tiny.png").read_bytes()
    made = [
        own.client.post("/api/v1/jobs", params={"name": f"{n}.png"}, content=body).json()["id"]
        for n in range(5)
    ]
    for identifier in made:
        own.until(identifier, lambda job: job["state"] == "done")
    for kind in ("jobs", "photos"):
        path, seen = f"/api/v1/{kind}?limit=2", []
        while path:
            page = own.client.get(path).json()
            assert len(page[kind]) <= 2
            seen += [entry["id"] for entry in page[kind]]
            path = page["next"]
        assert len(seen) == len(set(seen))
        if kind == "jobs":
            assert seen[:5] == made[::-1], "the newest first"
    done = own.client.get("/api/v1/jobs", params={"state": "running"}).json()
    assert done == {"jobs": [], "next": None}
    assert own.client.get("/api/v1/jobs?limit=0").status_code == 422


def test_what_came_with_a_job_goes_with_it(own: Server, pictures: Path) -> None:
    body = (pictures / "tiny.png").read_bytes()
    job = own.job(own.client.post("/api/v1/jobs", content=body))
    photo = job["photo"]["links"]["self"]
    assert own.client.get(photo).status_code == 200
    assert own.client.delete(job["links"]["self"]).status_code == 204
    assert own.client.get(photo).status_code == 404
    sent = own.client.post("/api/v1/photos", content=body).json()
    job = own.job(own.client.post("/api/v1/jobs", json={"photo": sent["id"]}))
    own.client.delete(job["links"]["self"])
    assert own.client.get(sent["links"]["self"]).status_code == 200, "sent for itself, it stays"


def test_events_have_names_and_an_end(own: Server, pictures: Path) -> None:
    body = (pictures / "slow.png").read_bytes()
    job = own.client.post("/api/v1/jobs?num_samples=40", content=body).json()
    with own.client.stream("GET", job["links"]["events"]) as stream:
        assert stream.headers["x-accel-buffering"] == "no"
        assert stream.headers["content-type"].startswith("text/event-stream")
        text = "".join(stream.iter_text())
    blocks = [block for block in text.strip().split("\n\n") if not block.startswith(":")]
    events = [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]
    assert events[0] == {"retry": "2000"}
    states = [json.loads(event["data"])["state"] for event in events[1:]]
    assert states[-1] == "done"
    progress = [json.loads(event["data"])["progress"] for event in events[1:]]
    assert progress == sorted(progress) and progress[-1] == 1
    names = [event["id"] for event in events[1:]]
    assert len(set(names)) == len(names) and names[-1].endswith("-end")
    headers = {"Last-Event-ID": names[-1]}
    assert own.client.get(job["links"]["events"], headers=headers).status_code == 204


def test_the_result_is_saved_as_it_is_asked_for(own: Server, pictures: Path) -> None:
    from invdn.photo.vips import pyvips

    body = (pictures / "deep.tif").read_bytes()
    asked = {"name": "deep.tif", "output_format": "jpeg", "jpeg_quality": 40}
    job = own.job(own.client.post("/api/v1/jobs", params=asked, content=body))
    assert job["output"] == {"output_format": "jpeg", "jpeg_quality": 40, "strip_metadata": False}
    assert (job["result"]["name"], job["result"]["depth"]) == ("deep_denoised.jpg", "uint8")
    answer = own.client.get(job["links"]["result"])
    assert answer.headers["content-type"] == "image/jpeg"
    assert 'filename="deep_denoised.jpg"' in answer.headers["content-disposition"]
    small = len(answer.content)
    asked |= {"jpeg_quality": 95, "strip_metadata": True}
    large = own.client.post("/api/v1/denoise", params=asked, content=body)
    assert len(large.content) > small + 200
    image = pyvips.Image.new_from_buffer(large.content, "")
    assert image.get("orientation") == 6, "it would look wrong without"
    wrong = own.client.post("/api/v1/jobs?output_format=bmp", content=body)
    assert wrong.status_code == 422


def test_a_draft_is_made_by_the_fast_model(own: Server, pictures: Path) -> None:
    body = (pictures / "plain.png").read_bytes()
    results = {}
    for quality in ("draft", "fast"):
        query = {"quality": quality, "strength": 1}
        job = own.job(own.client.post("/api/v1/jobs", params=query, content=body))
        assert job["draft"] == (quality == "draft")
        results[quality] = own.client.get(job["links"]["result"]).content
    assert results["draft"] != results["fast"]
    at_once = own.client.post("/api/v1/denoise?quality=draft&strength=1", content=body)
    assert at_once.content == results["draft"]


def test_several_results_in_one_archive(own: Server, pictures: Path) -> None:
    jobs = [
        own.job(
            own.client.post(
                "/api/v1/jobs",
                params={"name": name, "seed": seed},
                content=(pictures / "tiny.png").read_bytes(),
            )
        )
        for seed, name in enumerate(("a.png", "a.png", "Grüße.png"))
    ]
    answer = own.client.get("/api/v1/jobs/archive", params={"id": [job["id"] for job in jobs]})
    assert answer.headers["content-type"] == "application/zip"
    assert 'filename="denoised.zip"' in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        names = ["a_denoised.png", "a_denoised (2).png", "Grüße_denoised.png"]
        assert archive.namelist() == names and archive.testzip() is None
        for name, job in zip(names, jobs, strict=True):
            assert archive.read(name) == own.client.get(job["links"]["result"]).content
    missing = own.client.get("/api/v1/jobs/archive", params={"id": [jobs[0]["id"], "x"]})
    assert missing.status_code == 404
    assert own.client.get("/api/v1/jobs/archive").status_code == 422


def test_the_client(own: Server, pictures: Path, tmp_path: Path) -> None:
    from invdn.client import Client, ServiceError
    from invdn.errors import OutputError

    told: list[float] = []
    with Client(str(own.client.base_url)) as client:
        noisy = pictures / "deep.tif"
        plain = own.client.post(
            "/api/v1/denoise?name=deep.tif&seed=3", content=noisy.read_bytes()
        ).content
        assert client.denoise(noisy, seed=3) == plain
        job = client.submit(noisy, quality="balanced", strength="60%")
        assert job.document["options"]["strength"] == 0.6
        job = client.wait(job, progress=lambda job: told.append(job.progress))
        assert told[-1] == 1 and job.is_final
        client.save(job, tmp_path / "clean.tif")
        assert (tmp_path / "clean.tif").read_bytes() == client.result(job)
        with pytest.raises(OutputError):
            client.save(job, tmp_path / "clean.tif")
        assert job.id in [one.id for one in client.jobs("done")]
        client.remove(job)
        with pytest.raises(ServiceError, match="no such job") as refused:
            client.job(job.id)
        assert (refused.value.status, refused.value.kind) == (404, "not-found")
        with pytest.raises(ServiceError, match="did you mean 'strength'"):
            client.submit(noisy, strenght=1)  # type: ignore[call-arg]
        long = client.submit(pictures / "slow.png", num_samples=1000)
        assert client.cancel(long).state == "cancelled"
        with pytest.raises(ServiceError, match="cancelled"):
            client.wait(client.job(long.id))
    with (
        Client("http://127.0.0.1:9", timeout=1) as nobody,
        pytest.raises(ServiceError, match="does not answer"),
    ):
        nobody.remove(job)


def test_parameters_given_twice_are_refused(own: Server, pictures: Path) -> None:
    body = (pictures / "tiny.png").read_bytes()
    for path in ("/api/v1/denoise", "/api/v1/jobs"):
        answer = own.client.post(f"{path}?quality=fast&quality=best", content=body)
        assert answer.status_code == 422
        assert answer.json()["errors"] == [{"name": "quality", "message": "given twice"}]
    for path in ("/api/v1/photos?before=a&before=b", "/api/v1/jobs?limit=1&limit=2"):
        assert own.client.get(path).status_code == 422
    for name in ("", "Þ"):
        assert own.client.get("/api/v1/jobs", params={"before": name}).status_code == 422
    twice = own.client.get("/api/v1/jobs/archive?id=a&id=b")
    assert twice.status_code == 404, "it is a list"


def test_what_is_not_read_is_refused_when_it_comes(own: Server, pictures: Path) -> None:
    from invdn.photo.vips import pyvips

    image = pyvips.Image.new_from_file(str(pictures / "plain.png"))
    cmyk = image.icc_transform("cmyk", input_profile="srgb").copy()
    cmyk.remove("icc-profile-data")
    pages = image.join(image.invert(), "vertical").copy()
    pages.set_type(pyvips.GValue.gint_type, "page-height", image.height)
    for content, words in (
        (cmyk.jpegsave_buffer(keep="none"), "CMYK"),
        (pages.tiffsave_buffer(), "with the command's --page 1 to 2"),
        (pages.webpsave_buffer(), "animation"),
    ):
        answer = own.client.post("/api/v1/photos", content=content)
        assert answer.status_code == 422, answer.text
        assert words in answer.json()["detail"]


def test_a_long_side_is_refused(own: Server) -> None:
    from invdn.photo.vips import pyvips

    wide = pyvips.Image.black(70_000, 2).pngsave_buffer()
    answer = own.client.post("/api/v1/photos", content=wide)
    assert answer.status_code == 413
    assert "a side may have 65535" in answer.json()["detail"]


def test_a_preview_of_the_whole_at_the_size_of_a_screen(own: Server, pictures: Path) -> None:
    from invdn.photo.vips import pyvips

    photo = own.client.post("/api/v1/photos", content=(pictures / "turned.jpg").read_bytes()).json()
    region = {"x": 0, "y": 0, "w": photo["width"], "h": photo["height"]}
    answer = own.client.get(photo["links"]["preview"], params={**region, "shrink": 3})
    assert answer.status_code == 200, answer.text
    shown = pyvips.Image.new_from_buffer(answer.content, "")
    assert (shown.width, shown.height) == (14, 18)  # 40 x 52
    small = own.client.get(photo["links"]["rendering"], params={"shrink": 3}).content
    plain = pyvips.Image.new_from_buffer(small, "")
    assert abs(shown.avg() - plain.avg()) < 3


def test_metrics_tell_of_build_and_queue(own: Server, job: dict[str, Any]) -> None:
    assert job["state"] == "done"
    text = own.client.get("/metrics").text
    assert 'invdn_build_info{version="' in text
    assert "invdn_job_queue_seconds_count" in text
    assert "_created" not in text


def test_the_description_is_complete(own: Server) -> None:
    document = own.client.get("/api/v1/openapi.json").json()
    names = [o["operationId"] for path in document["paths"].values() for o in path.values()]
    assert len(names) == len(set(names)) and max(map(len, names)) < 24
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    parameters = document["paths"]["/api/v1/denoise"]["post"]["parameters"]
    bounds = {one["name"]: one["schema"] for one in parameters}
    assert bounds["tile_overlap"]["maximum"] == 1024
    assert bounds["num_samples"]["maximum"] == 1024
    assert bounds["luminance"]["anyOf"][0] == {"type": "number", "minimum": 0, "maximum": 1}


def test_the_documentation_needs_nothing_from_elsewhere(own: Server) -> None:
    page = own.client.get("/docs")
    assert page.status_code == 200
    assert "http://" not in page.text and "https://" not in page.text
    assert "<script" not in page.text
    for operation in ("create_job", "get_preview", "delete_photo"):
        assert f'id="{operation}"' in page.text
    assert "integer 1 to 1024" in page.text
    assert own.client.get("/assets/docs.css").status_code == 200


def test_a_cancel_is_quick_and_leaves_the_engine_free(own: Server, pictures: Path) -> None:
    tiny = (pictures / "tiny.png").read_bytes()
    for _ in range(2):
        body = (pictures / "slow.png").read_bytes()
        job = own.client.post("/api/v1/jobs?num_samples=1024", content=body).json()
        own.until(job["id"], lambda one: one["state"] == "running")
        own.client.delete(job["links"]["self"])
        answer = own.client.post("/api/v1/denoise", content=tiny)
        assert answer.status_code == 200
    time.sleep(0.1)
    assert own.client.get("/readyz").status_code == 200
