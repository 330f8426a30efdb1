"""Checkpoints: everything comes back, nothing runs, nothing is ever half written."""

import errno
import math
import pickle
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from invdn.errors import OutputError, RecipeError
from invdn.training.checkpoint import load_checkpoint, save_checkpoint
from invdn.training.state import State, initial_state, update_ema
from support.tiny_run import tiny_recipe

CPU = torch.device("cpu")


def trained(steps: int = 3, *overrides: str) -> State:
    state = initial_state(tiny_recipe(Path(), *overrides), None, CPU)
    for _ in range(steps):
        state.network(torch.rand(1, 3, 8, 8)).square().sum().backward()
        state.optimiser.step()
        update_ema(state, 0.9)
        state.step += 1
    state.samples, state.best, state.lowest = 12, 31.5, 0.04
    return state


def flat(state: State) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, network in (("network", state.network), ("ema", state.ema)):
        found |= {f"{name}.{key}": value.tolist() for key, value in network.state_dict().items()}
    moments = state.optimiser.state_dict()["state"]
    for index, values in moments.items():
        found |= {f"adam.{index}.{key}": value.tolist() for key, value in values.items()}
    numbers = (state.step, state.samples, state.best, state.lowest)
    return {**found, "numbers": numbers}


def test_everything_comes_back(tmp_path: Path) -> None:
    state = trained()
    save_checkpoint(tmp_path / "a.pt", state, "{}")
    following = (torch.rand(1).item(), np.random.random(), random.random())  # noqa: NPY002
    other = trained(0, "seed=5")
    other.samples, other.best, other.lowest = 0, -math.inf, math.inf
    load_checkpoint(tmp_path / "a.pt", other)
    assert flat(other) == flat(state)
    assert (torch.rand(1).item(), np.random.random(), random.random()) == following  # noqa: NPY002


def test_a_resumed_run_follows_the_recipe_it_is_given(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a.pt", trained(), "{}")
    other = trained(0, "optimiser.betas=[0.5, 0.75]", "optimiser.weight_decay=0.25")
    load_checkpoint(tmp_path / "a.pt", other)
    (group,) = other.optimiser.param_groups
    assert group["betas"] == (0.5, 0.75) and group["weight_decay"] == 0.25


def test_full_disk_keeps_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, trained(1), "{}")
    before = path.read_bytes()

    def full(target: Path, content: bytes) -> None:
        with target.open("wb") as file:
            file.write(content[:1000])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="disk is full"):
        save_checkpoint(path, trained(2), "{}")
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["last.pt"]


@pytest.mark.parametrize("override", ["network.features=4", "network.blocks=[1, 2]"])
def test_checkpoint_of_another_network(tmp_path: Path, override: str) -> None:
    save_checkpoint(tmp_path / "a.pt", trained(), "{}")
    with pytest.raises(RecipeError, match="another network"):
        load_checkpoint(tmp_path / "a.pt", trained(0, override))


class Hostile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "keys", "hostile", "format"])
def test_damaged_checkpoints(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.pt"
    save_checkpoint(path, trained(), "{}")
    match damage:
        case "cut":
            path.write_bytes(path.read_bytes()[:5000])
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_text("not a checkpoint")
        case "keys":
            torch.save({"format": 1}, path)
        case "format":
            torch.save({"format": 99}, path)
        case _:
            path.write_bytes(pickle.dumps(Hostile(tmp_path / "owned"), protocol=2))
    with pytest.raises(RecipeError, match=r"a\.pt"):
        load_checkpoint(path, trained(0))
    assert not (tmp_path / "owned").exists()


def test_running_mean_follows() -> None:
    state = trained(0)
    start = {name: value.clone() for name, value in state.ema.state_dict().items()}
    with torch.no_grad():
        for parameter in state.network.parameters():
            parameter.add_(1)
    state.step = 1000
    update_ema(state, 0.9)
    for name, value in state.ema.state_dict().items():
        assert torch.allclose(value, start[name] + 0.1, atol=1e-6)
    state.step = 0
    update_ema(state, 0.9)  # the first step forgets nine tenths
    for name, value in state.ema.state_dict().items():
        assert torch.allclose(value, start[name] + 0.1 + 0.9 * 0.9, atol=1e-6)
