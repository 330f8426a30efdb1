"""The result of the service is the command's, byte for byte."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

from invdn.image.noise_estimation import estimate_noise
from invdn.image.orientation import apply_exif_orientation
from invdn.inference.error_map import expected_error, interval
from invdn.photo.color import network_bridge_of
from invdn.photo.read import read_photo
from support.serving import Server

OUTPUT = ("output_format", "jpeg_quality", "strip_metadata")
KINDS = [
    "plain.png",
    "turned.jpg",
    "plain.webp",
    "wide.tif",
    "deep.tif",
    "transparent.png",
    "grey.png",
    "float.tiff",
]


@pytest.fixture(scope="module")
def by_command(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``invdn denoise`` makes of every kind."""
    folder = tmp_path_factory.mktemp("command")
    arguments = [str(pictures / kind) for kind in KINDS]
    subprocess.run(
        [sys.executable, "-m", "invdn", "denoise", *arguments, "-o", folder, "--seed", "5",
         "--num-samples", "2", "--quiet", "--suffix", ""],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_are_those_of_the_command(
    server: Server, pictures: Path, by_command: Path, kind: str
) -> None:
    noisy = (pictures / kind).read_bytes()
    expected = (by_command / kind).read_bytes()
    raw = server.client.post(
        "/api/v1/denoise", params={"seed": 5, "num_samples": 2, "name": kind}, content=noisy
    )
    form = server.client.post(
        "/api/v1/denoise", files={"photo": (kind, noisy)}, data={"seed": "5", "num_samples": "2"}
    )
    stem, suffix = kind.split(".")
    for answer in (raw, form):
        assert answer.status_code == 200, answer.text
        assert answer.content == expected
        assert f'filename="{stem}_denoised.{suffix}"' in answer.headers["content-disposition"]
        assert answer.headers["server-timing"].startswith("work;dur=")


def test_a_job_has_the_same_result(server: Server, pictures: Path, by_command: Path) -> None:
    for kind in ("deep.tif", "turned.jpg", "wide.tif"):
        job = server.job(
            server.client.post(
                "/api/v1/jobs",
                params={"seed": 5, "num_samples": 2, "name": kind},
                content=(pictures / kind).read_bytes(),
            )
        )
        result = server.client.get(job["links"]["result"])
        assert result.content == (by_command / kind).read_bytes()
        assert job["result"]["bytes"] == len(result.content)
        assert job["result"]["noise_word"] in ("light", "moderate", "strong", "extreme")
        assert job["result"]["noise_level"] > 0
        assert 0 <= job["result"]["strength_found"] <= 1


def test_names_survive(server: Server, pictures: Path) -> None:
    noisy = (pictures / "plain.png").read_bytes()
    for given, plain, expected in (
        ("my photo.png", "my photo_denoised.png", "my photo_denoised.png"),
        ("Grüße 1.PNG", "Gru_e 1_denoised.PNG", "Grüße 1_denoised.PNG"),
        ("../../etc/passwd", "passwd_denoised.png", "passwd_denoised.png"),
        ("C:\\photos\\a.jpg", "a_denoised.png", "a_denoised.png"),  # the content decides
        ('a"\r\nb.png', "a_b_denoised.png", 'a"b_denoised.png'),
        ("夜.png", "__denoised.png", "夜_denoised.png"),
        ("", "photo_denoised.png", "photo_denoised.png"),
    ):
        answer = server.client.post("/api/v1/denoise", params={"name": given}, content=noisy)
        disposition = answer.headers["content-disposition"]
        wanted = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(expected, safe='')}"
        assert disposition == wanted


def test_the_preview_shows_what_the_result_will(
    server: Server, pictures: Path, tmp_path: Path
) -> None:
    for kind in ("plain.png", "turned.jpg", "deep.tif", "transparent.png", "grey.png"):
        photo = server.client.post("/api/v1/photos", content=(pictures / kind).read_bytes()).json()
        turned = kind in ("turned.jpg", "deep.tif")
        assert (photo["width"], photo["height"]) == ((40, 52) if turned else (52, 40))
        region = {"x": 8, "y": 4, "w": 25, "h": 31}
        preview = server.client.get(photo["links"]["preview"], params={**region, "strength": 1})
        assert preview.headers["content-type"] == "image/png"
        job = server.job(
            server.client.post("/api/v1/jobs", params={"photo": photo["id"], "strength": 1})
        )
        full = server.client.get(job["links"]["rendering"], params=region)
        seen = [_pixels(answer.content, tmp_path) for answer in (preview, full)]
        assert seen[0].shape[:2] == (31, 25)
        # with all the context that there is nothing but the losses of a JPEG can differ
        lossy = kind.endswith("jpg")
        assert np.abs(seen[0].astype(int) - seen[1]).mean() <= (2 if lossy else 0), kind


def test_renderings_are_upright_8_bit_and_exact(
    server: Server, pictures: Path, tmp_path: Path
) -> None:
    stored = read_photo(pictures / "deep.tif").pixels
    photo = server.client.post(
        "/api/v1/photos", content=(pictures / "deep.tif").read_bytes()
    ).json()
    assert photo["displayable"] is False
    assert photo["depth"] == "uint16"
    whole = server.client.get(photo["links"]["rendering"])
    expected = np.rint(np.rot90(stored, -1) / 257).astype(np.uint8)
    assert np.array_equal(_pixels(whole.content, tmp_path), expected)
    small = server.client.get(
        photo["links"]["rendering"], params={"format": "jpeg", "max_side": 20}
    )
    assert small.headers["content-type"] == "image/jpeg"
    assert max(_pixels(small.content, tmp_path).shape) == 20


def test_maps_of_a_grey_photograph_saved_in_colour(server: Server, pictures: Path) -> None:
    """WebP and AVIF know no grey pictures."""
    grey = (pictures / "grey.png").read_bytes()
    for kind in ("webp", "avif", "jpeg"):
        job = server.job(server.client.post(f"/api/v1/jobs?output_format={kind}", content=grey))
        for picture in ("explained", "uncertainty"):
            answer = server.client.get(job["links"][picture])
            assert answer.status_code == 200, (kind, picture, answer.text)


@pytest.mark.parametrize("kind", ["turned.jpg", "wide.tif"])
def test_the_uncertainty_map_is_that_of_the_result(
    server: Server, pictures: Path, tmp_path: Path, kind: str
) -> None:
    """Of a part, at another strength and whole: as the library predicts it from the two files."""
    noisy = (pictures / kind).read_bytes()
    post = server.client.post
    job = server.job(post("/api/v1/jobs", params={"strength": 1, "name": kind}, content=noisy))
    (tmp_path / kind).write_bytes(server.client.get(job["links"]["result"]).content)
    photo, clean = read_photo(pictures / kind), read_photo(tmp_path / kind)
    space, _ = network_bridge_of(photo)
    to_srgb = space.to_srgb if space else None
    noise = estimate_noise(photo.pixels, to_srgb)
    upright = [apply_exif_orientation(seen.pixels, photo.orientation) for seen in (photo, clean)]
    expected = expected_error(upright[0], upright[1], noise, to_srgb)
    found = _uncertainty(server, job, tmp_path)
    assert found == pytest.approx(np.minimum(2550 * interval() * expected, 255), abs=1)
    assert 0 < found.min() < 255
    part = _uncertainty(server, job, tmp_path, x=9, y=5, w=20, h=17)
    assert (part == found[5:22, 9:29]).all()
    untouched = _uncertainty(server, job, tmp_path, strength=0)
    nothing = expected_error(upright[0], upright[0], noise, to_srgb)
    assert untouched == pytest.approx(np.minimum(2550 * interval() * nothing, 255), abs=1)
    between = _uncertainty(server, job, tmp_path, strength="auto", detail=0.5)
    assert not (between == found).all() and not (between == untouched).all()
    gentle = _uncertainty(server, job, tmp_path, strength="auto", look="gentle")
    assert not (gentle == _uncertainty(server, job, tmp_path, strength="auto")).all()
    for link in ("uncertainty", "explained"):
        answer = server.client.get(job["links"][link], params={"look": "soft"})
        assert answer.status_code == 422 and "look" in answer.json()["detail"]
    answer = server.client.get(job["links"]["uncertainty"], params={"look": "gentle"})
    assert answer.status_code == 422 and "automatic strength" in answer.json()["detail"]
    answer = server.client.get(job["links"]["uncertainty"], params={"strength": 3.5})
    assert answer.status_code == 422 and "strength" in answer.json()["detail"]


def _uncertainty(server: Server, job: Any, folder: Path, **query: Any) -> Any:
    answer = server.client.get(job["links"]["uncertainty"], params=query)
    assert answer.status_code == 200, answer.text
    return _pixels(answer.content, folder).astype(float)


def test_the_options_are_those_of_denoising(server: Server) -> None:
    from dataclasses import fields

    from invdn.inference import DenoiseOptions

    known = server.client.get("/api/v1/service").json()["options"]
    assert set(known) == {"quality", *(field.name for field in fields(DenoiseOptions))}
    assert all(option["description"] for option in known.values())
    parameters = server.client.get("/api/v1/openapi.json").json()["paths"]["/api/v1/denoise"][
        "post"
    ]["parameters"]
    assert {parameter["name"] for parameter in parameters} == {*known, "name", *OUTPUT}
    assert json.dumps(known)


def _pixels(content: bytes, folder: Path) -> np.ndarray:
    path = folder / "picture"
    path.write_bytes(content)
    photo = read_photo(path)
    return np.asarray(photo.pixels)
