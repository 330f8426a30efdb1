"""The description of the interface against what the service does."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from support.serving import Server

PATHS = {
    "/api/v1/service",
    "/api/v1/models",
    "/api/v1/denoise",
    "/api/v1/photos",
    "/api/v1/session",
    "/api/v1/photos/{identifier}",
    "/api/v1/photos/{identifier}/rendering",
    "/api/v1/photos/{identifier}/preview",
    "/api/v1/jobs",
    "/api/v1/jobs/archive",
    "/api/v1/jobs/{identifier}",
    "/api/v1/jobs/{identifier}/events",
    "/api/v1/jobs/{identifier}/explained",
    "/api/v1/jobs/{identifier}/result",
    "/api/v1/jobs/{identifier}/rendering",
    "/api/v1/jobs/{identifier}/uncertainty",
    "/healthz",
    "/readyz",
    "/metrics",
}


def test_every_path_is_described(server: Server) -> None:
    paths = server.client.get("/api/v1/openapi.json").json()["paths"]
    assert set(paths) == PATHS
    for operations in paths.values():
        for operation in operations.values():
            assert operation["description"]
            assert {"401", "403", "421"} <= set(operation["responses"])


def test_an_address_says_no_null(server: Server) -> None:
    for path in server.client.get("/api/v1/openapi.json").json()["paths"].values():
        for operation in path.values():
            parameters = json.dumps(operation.get("parameters", []))
            form = operation.get("requestBody", {}).get("content", {}).get("multipart/form-data")
            assert "null" not in parameters + json.dumps(form or {})


def test_every_reference_leads_somewhere(server: Server) -> None:
    text = server.client.get("/api/v1/openapi.json").text
    references = set(re.findall(r'"\$ref": ?"([^"]+)"', text))
    schemas = json.loads(text)["components"]["schemas"]
    assert references == {f"#/components/schemas/{name}" for name in schemas}


def test_methods_of_a_path_that_two_routes_fit(server: Server) -> None:
    answer = server.client.put("/api/v1/jobs/archive")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(PATHS))
def test_every_path_does_what_it_says(server: Server, pictures: Path, path: str) -> None:
    """Status, type, headers and body of answers to requests that fit the description or do not."""
    noisy = (pictures / "tiny.png").read_bytes()
    job = server.job(server.client.post("/api/v1/jobs?quality=balanced", content=noisy))
    identifiers = {"photos": job["photo"]["id"], "jobs": job["id"]}
    schema = schemathesis.openapi.from_url(f"{server.client.base_url}api/v1/openapi.json")
    statuses: Counter[int] = Counter()
    for method in schema[path]:

        @given(case=schema[path][method].as_strategy(), real=st.booleans())
        @settings(
            max_examples=16,
            deadline=None,
            derandomize=True,
            database=None,
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        )
        def check(case: Any, real: bool) -> None:
            # that any bytes may come does not make a photograph of them
            excluded = [positive_data_acceptance]
            if case.query.get("num_samples"):
                case.query["num_samples"] = 2  # 20,000 would be done as well, in their time
            if real:
                excluded.append(negative_data_rejection)
                if "identifier" in case.path_parameters:
                    case.path_parameters["identifier"] = identifiers[path.split("/")[3]]
                if path.endswith("/preview"):
                    case.query = {"x": 0, "y": 0, "w": 5, "h": 5}
                elif path.endswith("/archive"):
                    case.query = {"id": [job["id"]]}
                elif not path.endswith("/rendering"):
                    case.query = {}
                if isinstance(case.body, bytes):
                    case.body = noisy
                if case.media_type == "multipart/form-data":
                    case.body = {"photo": noisy}
            answer = case.call_and_validate(timeout=60, excluded_checks=excluded)
            statuses[answer.status_code] += 1

        check()
    assert any(status < 300 for status in statuses), statuses
