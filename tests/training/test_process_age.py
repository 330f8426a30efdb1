"""When the process began."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from invdn.training import process_age
from invdn.training.process_age import process_started


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_a_process_that_waited_says_so() -> None:
    program = (
        "import time; time.sleep(0.5)\n"
        "from invdn.training.process_age import process_started\n"
        "print(time.monotonic() - process_started())"
    )
    start = time.monotonic()
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert 0.5 <= float(told.stdout) <= time.monotonic() - start + 0.05


def test_where_the_system_does_not_tell_it_is_now(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(process_age, "_STAT", tmp_path / "none")
    before = time.monotonic()
    assert before <= process_started() <= time.monotonic()
