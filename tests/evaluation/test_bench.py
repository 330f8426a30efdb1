"""Measuring costs: stages that add up, memory that is seen, curves that are drawn."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from invdn.architecture import Architecture
from invdn.evaluation import profiling
from invdn.evaluation.bench import Case, Outcome, StopwatchEngine, cost_chart, measure_case


class CountingEngine:
    """Blurs; counts its calls."""

    architecture = Architecture(blocks=(1, 1), features=4)
    description = "blur"

    def __init__(self) -> None:
        self.calls: list[str] = []

    def encode(self, noisy: np.ndarray) -> np.ndarray:
        self.calls.append("encode")
        batch, colours, height, width = noisy.shape
        return noisy.reshape(batch, colours, height // 4, 4, width // 4, 4).mean((3, 5))

    def decode(self, low: np.ndarray, latent: np.ndarray) -> np.ndarray:
        self.calls.append("decode")
        return np.repeat(low.repeat(4, 2).repeat(4, 3), len(latent) // len(low), 0)


class PushedEngine(CountingEngine):
    """The same, row by row."""

    process_bytes = bytes_per_pixel = bytes_per_column = 1

    def encode_rows(self, height: int, width: int, piece: int) -> "PushedEngine":
        self.calls.append("rows")
        return self

    def decode_rows(self, height: int, width: int, draws: int, piece: int) -> "PushedEngine":
        self.calls.append("rows")
        return self

    def push(self, *arrays: np.ndarray) -> np.ndarray:
        if len(arrays) == 1:
            return self.encode(arrays[0][None])[0]
        return self.decode(arrays[0][None], arrays[1])


def case(**changes: object) -> Case:
    settings = {
        "runtime": "torch", "device": "cpu", "precision": "auto", "threads": 0, "width": 70,
        "height": 50, "draws": 3, "symmetries": 1, "tile": 0, "repeats": 2,
    }  # fmt: skip
    return Case(**{**settings, **changes})  # type: ignore[arg-type]


def test_a_case_is_warmed_up_and_repeated(tmp_path: Path) -> None:
    engine = CountingEngine()
    outcome = measure_case(case(), lambda: engine, tmp_path)
    assert engine.calls.count("encode") == 3
    assert engine.calls.count("decode") == 3  # the three draws of a small photograph together
    assert len(outcome.totals) == 2
    assert outcome.stages.total in outcome.totals
    assert outcome.latency == pytest.approx(sum(outcome.totals) / 2)
    assert outcome.throughput == pytest.approx(0.0035 / outcome.latency)
    assert (tmp_path / "clean.png").is_file()
    assert outcome.accelerator_memory is None


def test_an_engine_of_rows_is_measured_in_rows(tmp_path: Path) -> None:
    engine = PushedEngine()
    outcome = measure_case(case(tile=None, repeats=1), lambda: engine, tmp_path)
    assert engine.calls == ["rows", "rows", "encode", "decode"] * 2
    assert 0 < outcome.stages.inference < outcome.stages.total


def test_seconds_belong_to_the_stage_that_took_them(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 3.0, 4.0, 9.0, 10.0])
    monkeypatch.setattr("invdn.evaluation.bench.time.perf_counter", lambda: next(clock))
    engine = StopwatchEngine(CountingEngine())
    engine.start()
    low = engine.encode(np.zeros((1, 3, 8, 8), np.float32))
    engine.decode(low, np.zeros((1, 45, 2, 2), np.float32))
    engine.lap("postprocessing")
    assert engine.seconds == {"preprocessing": 2.0, "inference": 7.0, "postprocessing": 1.0}


def test_series_are_told_apart() -> None:
    assert case(draws=1).series == "torch"
    assert case(device="cuda", precision="bfloat16").series == "torch cuda bfloat16 3 draws"
    assert case(threads=2, symmetries=8, draws=1).series == "torch 2 threads x8"


def test_costs_are_drawn_as_a_curve_for_each_series(tmp_path: Path) -> None:
    outcomes: list[Outcome] = [
        measure_case(case(width=width, draws=draws, repeats=1), CountingEngine, tmp_path)
        for width in (80, 40)
        for draws in (1, 2)
    ]
    chart = cost_chart(outcomes)
    assert len(re.findall(r"<use .*var\(--s[01]\)", chart)) == 4
    assert "torch 2 draws" in chart


def test_memory_that_is_taken_is_seen() -> None:
    """In a process of its own: here other tests' memory may be given back meanwhile."""
    program = """
import numpy as np
from invdn.evaluation.profiling import peak_memory, profile_block
with profile_block() as meter:
    block = np.ones(40_000_000, np.uint8)
    block[::4096] = 2
assert 38_000_000 < meter.memory < 80_000_000, meter.memory
assert peak_memory() > block.nbytes
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_time_is_that_between(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter((100.0, 102.5))
    monkeypatch.setattr(profiling.time, "perf_counter", lambda: next(times))
    with profiling.profile_block() as meter:
        pass
    assert meter.seconds == 2.5
