"""`invdn data`: from what can be downloaded to what training reads fast."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from .options import Group, json_option
from .terminal import report, reporting

_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group(cls=Group)
def command() -> None:
    """Prepare data for training and validation; nothing is ever deleted or overwritten."""


@command.command(groups={"Patches": "size count seed processes"})
@click.argument("source", type=_FOLDER)
@click.argument("target", type=_FOLDER)
@click.option("--size", default=512, show_default=True, help="Height and width of a patch.")
@click.option("--count", default=100, show_default=True, help="Patches of each photograph.")
@click.option("--seed", default=0, show_default=True, help="Decides the places.")
@click.option("--processes", type=click.IntRange(1), help="Default: one for every processor.")
@json_option
def sidd(
    source: Path,
    target: Path,
    size: int,
    count: int,
    seed: int,
    processes: int | None,
    as_json: bool,
) -> None:
    """Cut the photographs of SIDD-Medium (or any pairs) into patches: TARGET/Noisy and TARGET/GT.

    Run it again after an interruption: it goes on where it stopped.
    """
    from ..data.patches import PatchOptions, cut_patches

    with _progress("photographs") as progress:
        options = PatchOptions(size, count, seed)
        made = cut_patches(source, target, options, processes=processes, progress=progress)
    report(as_json, {"patches": made, "target": target}, f"{made} pairs of patches in {target}")


@command.command()
@click.argument("noisy", type=_FILE)
@click.argument("clean", type=_FILE)
@click.argument("target", type=_FOLDER)
@json_option
def blocks(noisy: Path, clean: Path, target: Path, as_json: bool) -> None:
    """Extract the blocks of two MATLAB files, such as ValidationNoisyBlocksSrgb.mat and its GT."""
    from ..data.blocks import extract_blocks

    with _progress("blocks") as progress:
        made = extract_blocks(noisy, clean, target, progress)
    report(as_json, {"blocks": made, "target": target}, f"{made} pairs of blocks in {target}")


@command.command()
@click.argument("source", type=_FOLDER)
@click.argument("target", type=_FOLDER)
@json_option
def pack(source: Path, target: Path, as_json: bool) -> None:
    """Decode a data set once into raw pixels, from which training reads crops without decoding.

    SOURCE holds pairs (folders Noisy and GT, SIDD names, or LMDB folders) or clean photographs;
    TARGET takes its place in a recipe.
    """
    from ..data.pack import write_pack
    from ..data.sources import open_planes

    with _progress("images") as progress:
        planes = open_planes(source)
        size = write_pack(target, planes, progress)
    count = len(next(iter(planes.values())).names)
    what = "pairs" if "noisy" in planes else "photographs"
    facts = {what: count, "bytes": size, "target": target}
    report(as_json, facts, f"{count} {what}, {size / 2**20:.0f} MiB in {target}")


@command.command()
@click.argument("folder", type=_FOLDER)
@click.option(
    "--scale", type=click.IntRange(2), default=4, show_default=True, help="How much smaller."
)
@json_option
def low(folder: Path, scale: int, as_json: bool) -> None:
    """Write FOLDER/LQ: the clean photographs of FOLDER/GT at a quarter of the size.

    Only the original programs need it: training here computes these targets itself. Run it again
    after an interruption: it goes on where it stopped.
    """
    from ..data.low_images import write_low_images

    with _progress("photographs") as progress:
        made = write_low_images(folder, scale=scale, progress=progress)
    target = folder / "LQ"
    report(as_json, {"images": made, "target": target}, f"{made} images in {target}")


@contextmanager
def _progress(things: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar with the time left; yield what the work calls."""
    with reporting(1, quiet=False) as reporter, reporter.photograph(things) as progress:
        yield progress
