"""``invdn compare``: how far two results lie apart, and where."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import InputError
from .options import Command, json_option, overwrite_option
from .terminal import report

if TYPE_CHECKING:
    from ..evaluation.comparison import Difference


@click.command(
    cls=Command, groups={"Comparison": "tolerance relative", "Output": "picture overwrite"}
)
@click.argument("first", type=click.Path(exists=True, path_type=Path))
@click.argument("second", type=click.Path(exists=True, path_type=Path))
@click.option(
    "-t",
    "--tolerance",
    type=float,
    default=0.0,
    show_default=True,
    help="Largest difference that passes, in the units of the values (levels of an image).",
)
@click.option("--relative", is_flag=True, help="Measure by the largest magnitude in SECOND.")
@click.option(
    "--picture",
    type=click.Path(dir_okay=False, path_type=Path),
    help="PNG of both sides and their difference where it is largest.",
)
@overwrite_option("the picture")
@json_option
def command(
    first: Path,
    second: Path,
    tolerance: float,
    relative: bool,
    picture: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Compare FIRST with SECOND: folders of images, images, .npy or .npz files.

    Files and arrays are matched by name. The exit code is 1 if any difference is larger than the
    tolerance. A value that is not a number differs from everything.
    """
    from ..evaluation.comparison import compare, load_arrays, match_arrays, picture_of

    if not tolerance >= 0:
        raise InputError(f"the tolerance must be 0 or more, not {tolerance}")
    if picture is not None:
        from ..atomic import ensure_output
        from ..data.pairing import find_images

        folders = [place for place in (first, second) if place.is_dir()]
        read = [file for folder in folders for file in find_images(folder)]
        ensure_output(picture, overwrite, spare=[first, second, *read])
    arrays = load_arrays(first), load_arrays(second)
    differences = compare(*arrays, (first, second))
    far = [d for d in differences if not (d.relative if relative else d.largest) <= tolerance]
    facts = {
        "tolerance": tolerance,
        "relative": relative,
        "within": len(differences) - len(far),
        "differences": [{**asdict(d), "passes": d not in far} for d in differences],
    }
    report(as_json, facts, *(_line(d, failed=d in far) for d in differences))
    if picture is not None:
        from ..photo.photo import Photo
        from ..photo.write import write_photo

        worst = differences[0]
        partner = match_arrays(*arrays, (first, second))[worst.name]
        sides = arrays[0][worst.name], arrays[1][partner]
        write_photo(Photo(picture_of(worst, *sides)), picture, overwrite=overwrite)
        click.echo(f"{picture}: {worst.name}, first, second and difference", err=True)
    kind = "relative to the largest value" if relative else "in units of the values"
    click.echo(
        f"{len(differences) - len(far)} of {len(differences)} within {tolerance:g} ({kind})",
        err=True,
    )
    if far:
        raise SystemExit(1)


def _line(difference: "Difference", *, failed: bool) -> str:
    if difference.largest == 0:
        return f"{difference.name}: equal"
    place = ", ".join(map(str, difference.where))
    return (
        f"{difference.name}: largest difference {difference.largest:.6g} "
        f"(relative {difference.relative:.3g}) at [{place}]: {difference.first:.9g} against "
        f"{difference.second:.9g}; mean {difference.mean:.3g}, {difference.share:.2%} of all "
        f"values differ{'  TOO FAR' if failed else ''}"
    )
