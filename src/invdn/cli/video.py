"""``invdn video``: a noisy video in, a clean one out."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from .options import (
    Command,
    engine_options,
    look_options,
    max_megapixels,
    options_of,
    overwrite_option,
    quality_option,
    report_option,
    sample_options,
    tile_options,
)
from .terminal import reporting

_SUFFIX = "_denoised"


@click.command(cls=Command)
@click.argument("source", type=click.Path(path_type=Path), metavar="INPUT")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Video to write: .mp4, .m4v, .mov, .mkv or .webm. Default: beside the input, .mkv where "
    "its own kind is not written.",
)
@overwrite_option()
@click.option(
    "--codec",
    type=click.Choice(["auto", "av1", "vp9", "h264", "hevc", "ffv1"]),
    default="auto",
    show_default=True,
    help="Compression; auto: the first of av1, vp9, h264, hevc that can hold the frames.",
)
@click.option("--crf", type=int, help="Quality on the codec's own scale; smaller is better.")
@click.option("--lossless", is_flag=True, help="The same as --codec ffv1; goes into .mkv.")
@quality_option
@sample_options
@look_options
@engine_options
@tile_options
@click.option("--keep-readable", is_flag=True, help="Denoise what can be read of a damaged video.")
@click.option(
    "--drop-streams",
    is_flag=True,
    help="Leave out sound, subtitles and data that the output cannot hold.",
)
@max_megapixels(40)
@report_option
def command(
    source: Path,
    output: Path | None,
    overwrite: bool,
    codec: str,
    crf: int | None,
    lossless: bool,
    keep_readable: bool,
    drop_streams: bool,
    max_megapixels: float,
    as_json: bool,
    quiet: bool,
    **choices: Any,
) -> None:
    """Denoise a video, frame by frame.

    The time of every frame, size, bit depth, chroma subsampling, colours, rotation, sound,
    subtitles and data are kept; the pictures are compressed anew. The whole video is looked
    through first, so that what cannot be done is said before the work. Nothing is overwritten
    unasked.

    \b
    invdn video IMG_1234.mp4 -o clean.mp4
    invdn video IMG_1234.mov -o clean.mov --codec h264 --crf 18
    invdn video IMG_1234.mp4 -o master.mkv --lossless
    """
    if lossless and codec not in ("auto", "ffv1"):
        raise click.UsageError("--lossless is --codec ffv1; leave one of the two out.")
    # SVT-AV1 writes its configuration past everybody to standard error, unless it is kept from it.
    os.environ.setdefault("SVT_LOG", "0")
    engine_choice = engine_options.take(choices)
    groups = (look_options, sample_options, tile_options)
    chosen = {name: value for group in groups for name, value in group.take(choices).items()}
    options = options_of(choices["quality"], chosen)
    from ..video import Encoding, default_target, denoise_video  # late: needs PyAV

    encoding = Encoding("ffv1" if lossless else codec, crf)
    target = output or default_target(source, _SUFFIX)
    if output is None and encoding.codec == "ffv1":
        target = target.with_suffix(".mkv")
    from ..engines import open_engine

    engine = open_engine(**engine_choice)
    with reporting(1, quiet=quiet) as reporter, reporter.photograph(source) as progress:
        result = denoise_video(
            engine,
            source,
            target,
            options,
            encoding,
            overwrite=overwrite,
            keep_readable=keep_readable,
            drop_streams=drop_streams,
            max_pixels=round(max_megapixels * 1e6),
            progress=progress,
        )
    for note in result.notes:
        click.echo(f"invdn: {note}", err=True)
    if as_json:
        report = {
            name: str(value) if isinstance(value, Path) else value
            for name, value in asdict(result).items()
        }
        click.echo(json.dumps({"engine": engine.description, "options": asdict(options), **report}))
    elif not quiet:
        click.echo(f"{source} -> {target} ({result.frames} frames, {result.codec})", err=True)
