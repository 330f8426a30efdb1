"""What the tests of the browser's code share: node, and the rules of src/browser run in it."""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

_REPOSITORY = Path(__file__).parents[2]
_BRIDGE = Path(__file__).with_name("bridge.mjs")
_VERSION = 18  # of node, or later


@pytest.fixture(scope="session")
def node() -> str:
    """The path of node; without it the tests are skipped."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("needs node")
    words = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    if int(words.lstrip("v").split(".")[0]) < _VERSION:
        pytest.skip(f"needs node {_VERSION} or later")
    return found


@pytest.fixture(scope="session")
def builds() -> Path:
    """The builds for WebAssembly, made by ``.ci/wasm``; without them tests are skipped."""
    folder = Path(os.environ.get("INVDN_WASM", _REPOSITORY / "build/wasm"))
    if not (folder / "simd" / "invdn.wasm").exists():
        pytest.skip("needs the engine for WebAssembly: .ci/wasm builds it")
    return folder


def _sent(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"shape": value.shape, "dtype": value.dtype.name, "data": data}
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(type(value))


@pytest.fixture(scope="session")
def rule(node: str) -> Callable[..., Any]:
    """Run a rule of the browser: its name and its arguments, arrays among them."""

    def run(name: str, **arguments: Any) -> Any:
        request = json.dumps({"rule": name, **arguments}, default=_sent)
        done = subprocess.run([node, str(_BRIDGE)], input=request, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="session")
def unpacked() -> Callable[..., Any]:
    """Read an array of an answer."""

    def read(text: str, dtype: str, shape: tuple[int, ...]) -> Any:
        return np.frombuffer(base64.b64decode(text), dtype).reshape(shape)

    return read
