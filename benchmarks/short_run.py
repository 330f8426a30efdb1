"""Short training runs on a machine that is lent for minutes: little to carry, everything kept.

    python benchmarks/short_run.py pack DATA PACK          # once: at most 45 MB
    python benchmarks/short_run.py train PACK OUT --budget 9m --from newest.safetensors
    python benchmarks/short_run.py train PACK OUT --budget 1m --state OUT/state   # goes on

`pack` takes a fixed choice of the data of the recipe `default`, evenly spread over the names, at
its own quality: pixels as they are, losslessly compressed. `train` unpacks it, begins with the
weights or with the state of an earlier run, trains for its budget, and leaves in OUT:
`weights-ema.safetensors`, the logs, and `state/`, the whole state in pieces below 16 MB that
`--state` takes up again. The same command runs on a CPU (batch 4) and on a GPU (batch 56, by the
linear rule from 14 : 2e-4). A machine with PyTorch alone also needs numpy, pydantic, filelock and
lightning-fabric, which are looked for before anything else; it needs no libvips.
"""

import argparse
import hashlib
import json
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from invdn.data.images import ImageSource

with suppress(ModuleNotFoundError):  # said below, with all that is missing
    import numpy as np

NEEDED = ("torch", "numpy", "pydantic", "filelock", "lightning_fabric")
PACK_BYTES = 45_000_000
PIECE_BYTES = 15_000_000
#: Of the pack: real pairs are few and must not be too many, photographs are what teaches.
SHARES = {"clean": 0.75, "pairs": 0.25}
INDEX = "short-run.json"
RECIPE = (
    'data.pairs=["pairs"]',
    'data.clean=["clean"]',
    # Paddle reproduction: batch / rate is 14 / 2e-4; 4 here, and 56 by hardware.batch_scale=14
    "phases=[{steps=1000, crop=144, batch=4, learning_rate=5.7e-5, warm_up=30, decay=800}]",
    "validation.pairs=[]",
    "validation.noise={}",
    "validation.photographs=[]",
    'hardware.precision="mixed"',
    "hardware.channels_last=true",
    "hardware.resident=true",
)
#: What a GPU changes: 56 crops a step, and the step recorded as a CUDA graph.
GPU = ("hardware.batch_scale=14", "hardware.graph=true")


def main() -> None:
    """Pack or train."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    packing = commands.add_parser("pack", help="choose and compress training data")
    packing.add_argument("data", type=Path, help="the root that `invdn train default` takes")
    packing.add_argument("pack", type=Path, help="a new folder")
    packing.add_argument("--bytes", type=int, default=PACK_BYTES, help="at most so many")
    training = commands.add_parser("train", help="train for a budget")
    training.add_argument("pack", type=Path)
    training.add_argument("out", type=Path, help="the folder of the run")
    training.add_argument("--budget", default="9m")
    training.add_argument("--from", dest="start", default="default", help="weights to begin with")
    training.add_argument("--state", type=Path, help="the state/ of an earlier run to go on with")
    training.add_argument("--recipe", default="default")
    training.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    missing = [name for name in NEEDED if not find_spec(name)]
    if missing:
        raise SystemExit(f"short_run: this machine lacks {', '.join(missing)}: pip install them")
    from invdn.errors import InvDNError
    from invdn.training.process_age import process_started

    started = process_started()
    try:
        if options.command == "pack":
            print(json.dumps(pack(options.data, options.pack, options.bytes)))
        else:
            print(json.dumps(train_for(options, started)))
    except (InvDNError, OSError, zlib.error) as error:
        raise SystemExit(f"short_run: {error}") from error


def pack(data: Path, target: Path, limit: int) -> dict[str, Any]:
    """Write the pack and return what it holds.

    Raises:
        InvDNError: the data cannot be read.
        OSError: the target exists or cannot be written.
    """
    from invdn.data.sources import open_images, open_pairs
    from invdn.training.recipe_files import load_recipe

    recipe = load_recipe("default")
    held_out = set(recipe.validation.photographs)
    clean = [open_images(data / path) for path in recipe.data.clean]
    pairs = [open_pairs(data / path) for path in recipe.data.pairs]
    planes: dict[str, dict[str, list[ImageSource]]] = {
        "clean": {"clean": list(clean)},
        "pairs": {"noisy": [p.noisy for p in pairs], "clean": [p.clean for p in pairs]},
    }
    target.mkdir(parents=True)
    index: dict[str, Any] = {}
    for name, share in SHARES.items():
        left, images = share * limit, []
        folder = target / name
        folder.mkdir()
        for plane in planes[name]:
            (folder / f"{plane}.z").touch()
        for which, number in _spread(planes[name]["clean"], held_out):
            parts = {
                plane: _compress(sources[which], number) for plane, sources in planes[name].items()
            }
            size = sum(map(len, parts.values()))
            if size > left:
                break
            left -= size
            for plane, content in parts.items():
                with (folder / f"{plane}.z").open("ab") as file:
                    file.write(content)
            source = planes[name]["clean"][which]
            images.append(
                {
                    "name": str(source.names[number]),
                    "size": [int(side) for side in source.sizes[number]],
                    "bytes": {plane: len(content) for plane, content in parts.items()},
                }
            )
        index[name] = {"planes": list(planes[name]), "images": images}
    (target / INDEX).write_text(json.dumps({"version": 1, "sets": index}), encoding="utf-8")
    size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    counts = {name: len(found["images"]) for name, found in index.items()}
    return {"bytes": size, **counts}


def _spread(sources: "list[ImageSource]", held_out: set[str]) -> Iterator[tuple[int, int]]:
    """Every image once, in an order whose every beginning is spread over all (golden ratio)."""
    places = [
        (which, number)
        for which, source in enumerate(sources)
        for number, name in enumerate(source.names)
        if name not in held_out
    ]
    order = sorted(range(len(places)), key=lambda place: place * 0.6180339887498949 % 1)
    yield from (places[place] for place in order)


def _compress(source: "ImageSource", number: int) -> bytes:
    """One image, as differences of horizontal neighbours, which compress well."""
    height, width = map(int, source.sizes[number])
    pixels = source.crop(number, 0, 0, height, width)
    return zlib.compress(np.diff(pixels, axis=1, prepend=np.uint8(0)).tobytes())


def _decompress(content: bytes, size: list[int]) -> bytes:
    differences = np.frombuffer(zlib.decompress(content), np.uint8).reshape(*size, 3)
    return np.add.accumulate(differences, axis=1, dtype=np.uint8).tobytes()


def unpack(folder: Path, target: Path) -> None:
    """Write the sets of a pack as `invdn data pack` does.

    Raises:
        OSError: a file is missing, or the target cannot be written.
        DataError: it is damaged, or no pack of this version.
    """
    from invdn.errors import DataError

    try:
        content = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        version = content["version"]
    except FileNotFoundError as error:
        raise DataError(f"{folder} is no pack: make one with `short_run.py pack`") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder / INDEX} is damaged: make the pack again") from error
    if version != 1:
        raise DataError(f"{folder} is a pack of version {version}, not 1: make it again")
    for name, found in content["sets"].items():
        (target / name).mkdir(parents=True, exist_ok=True)
        sizes = [image["size"] for image in found["images"]]
        for plane in found["planes"]:
            packed = (folder / name / f"{plane}.z").open("rb")
            with packed, (target / name / f"{plane}.u8").open("wb") as file:
                for image in found["images"]:
                    file.write(_decompress(packed.read(image["bytes"][plane]), image["size"]))
        index = {
            "format": "invdn-pack",
            "version": 1,
            "names": [image["name"] for image in found["images"]],
            "planes": dict.fromkeys(found["planes"], sizes),
        }
        (target / name / "index.json").write_text(json.dumps(index), encoding="utf-8")


def train_for(options: argparse.Namespace, started: float) -> dict[str, Any]:
    """Train for the budget, cut the state in pieces, and return how it went."""
    import torch

    from invdn.training.checkpoint import LAST
    from invdn.training.loop import train
    from invdn.training.recipe_files import load_recipe

    out: Path = options.out
    data = out / "data"
    unpack(options.pack, data)
    if options.state:
        join(options.state, out / LAST)
    gpu = torch.cuda.is_available()
    settings = [f"data.root={json.dumps(str(data))}", f"budget={json.dumps(options.budget)}"]
    recipe = load_recipe(options.recipe, [*RECIPE, *(GPU if gpu else ()), *settings, *options.set])
    watcher = Printer()
    begin = None if options.state else options.start
    weights = train(recipe, out, watcher, resume=bool(options.state), start=begin, started=started)
    pieces = split(out / LAST, out / "state")
    return {
        "device": torch.cuda.get_device_name() if gpu else "cpu",
        "seconds": round(time.monotonic() - started, 1),
        "weights": str(weights),
        "largest_file": max([weights.stat().st_size, *(p.stat().st_size for p in pieces)]),
        "steps": watcher.steps,
        "images_per_second": watcher.pace,
    }


def split(file: Path, folder: Path) -> list[Path]:
    """Cut a file into pieces small enough to be carried away, with a digest of the whole."""
    content = file.read_bytes()
    folder.mkdir(exist_ok=True)
    for old in folder.glob("part-*"):
        old.unlink()
    pieces = []
    for number, start in enumerate(range(0, len(content), PIECE_BYTES)):
        pieces.append(folder / f"part-{number:03}")
        pieces[-1].write_bytes(content[start : start + PIECE_BYTES])
    digest = hashlib.sha256(content).hexdigest()
    (folder / "whole.json").write_text(json.dumps({"parts": len(pieces), "sha256": digest}))
    return pieces


def join(folder: Path, file: Path) -> None:
    """Put the pieces of a file together again.

    Raises:
        DataError: a piece is missing or damaged.
        OSError: the folder holds no pieces.
    """
    from invdn.errors import DataError

    whole = json.loads((folder / "whole.json").read_text(encoding="utf-8"))
    found = sorted(folder.glob("part-*"))
    content = b"".join(piece.read_bytes() for piece in found)
    if len(found) != whole["parts"] or hashlib.sha256(content).hexdigest() != whole["sha256"]:
        raise DataError(f"{folder} is not complete: a part is missing or damaged")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


class Printer:
    """Tells standard error what happens; SIGTERM ends a lent machine's run at the budget anyway."""

    steps = 0
    pace = 0.0

    def __getattr__(self, name: str) -> Any:
        """Take any other message quietly."""
        return lambda *_, **__: None

    def message(self, text: str) -> None:
        """Print a line."""
        print(text, file=sys.stderr, flush=True)

    def measured(self, measured: Any) -> None:
        """Print a logging interval."""
        self.steps, self.pace = measured.step, round(measured.images_per_second, 2)
        losses = "  ".join(f"{name} {value:.4f}" for name, value in measured.losses.items())
        self.message(f"{measured.step}  {losses}  {measured.images_per_second:.1f} images/s")

    def wants_stop(self) -> bool:
        """Go on to the end of the budget."""
        return False


if __name__ == "__main__":
    main()
