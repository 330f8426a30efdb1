"""Start a service, send it a photograph, follow the job and fetch the result.

pip install 'invdn[web]' httpx pillow
python examples/call_the_service.py
"""

import io
import subprocess
import sys
import time

import httpx
import numpy as np
from PIL import Image


def main() -> None:
    """Talk to a service that runs for the time of the example."""
    command = [sys.executable, "-m", "invdn", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service:
        try:
            address = service.stdout.readline().strip() if service.stdout else ""
            denoise(address, drawn())
        finally:
            service.terminate()


def denoise(address: str, photo: bytes) -> None:
    """Run a job from the upload to the result."""
    with httpx.Client(base_url=address, timeout=60) as client:
        answer = client.post("/api/v1/jobs", params={"strength": "1"}, content=photo)
        job = answer.raise_for_status().json()
        while job["state"] in ("queued", "running"):
            print(f"{job['state']}, {job['progress']:.0%}")
            time.sleep(0.2)
            job = client.get(job["links"]["self"]).raise_for_status().json()
        if job["state"] != "done":
            raise SystemExit(f"the job {job['state']}: {job}")
        result = client.get(job["links"]["result"]).raise_for_status().content
        print("result:", Image.open(io.BytesIO(result)).size)
        client.delete(job["links"]["self"]).raise_for_status()


def drawn() -> bytes:
    """Return a noisy PNG."""
    noisy = np.random.default_rng(0).normal(110, 15, (96, 128, 3)).clip(0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(noisy).save(file, "PNG")
    return file.getvalue()


if __name__ == "__main__":
    main()
