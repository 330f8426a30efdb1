"""``invdn dev demo``: see what it does without a photograph at hand."""

from pathlib import Path

import click

from .options import Command, json_option, overwrite_option


@click.command(cls=Command, groups={"Picture": "size seed"})
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("invdn-demo"),
    show_default=True,
    help="Folder for the three pictures.",
)
@click.option(
    "--size", type=click.IntRange(64, 4096), default=512, show_default=True, help="Its edge."
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of what is drawn."
)
@click.option("-m", "--model", default="default", show_default=True, help="Name, file or folder.")
@overwrite_option("the pictures of an earlier run")
@json_option
def command(output: Path, size: int, seed: int, model: str, overwrite: bool, as_json: bool) -> None:
    """Draw a picture, add the noise of a camera in weak light, and denoise it.

    Writes noisy.png, clean.png (the result) and comparison.png (noisy, result and original side by
    side), and prints how close noisy and result are to the original.
    """
    import numpy as np

    from ..atomic import ensure_folder, ensure_output
    from ..engines import open_engine
    from ..image.dtype import to_float
    from ..image.metrics import psnr
    from ..inference import DenoiseOptions, denoise_pixels
    from ..photo.demo_photo import camera_noise, demo_photo
    from ..photo.photo import Photo
    from ..photo.write import write_photo
    from .terminal import report, reporting

    names = ("noisy.png", "clean.png", "comparison.png")
    ensure_folder(output)
    for name in names:
        ensure_output(output / name, overwrite)
    engine = open_engine(model)
    original = demo_photo(size, seed)
    noisy = camera_noise(original, seed=seed)
    with reporting(1, quiet=False) as reporter, reporter.photograph(output / "noisy.png") as step:
        clean = denoise_pixels(engine, noisy, DenoiseOptions(seed=seed), progress=step)
    pictures = (noisy, clean, np.concatenate((noisy, clean, original), axis=1))
    for name, picture in zip(names, pictures, strict=True):
        write_photo(Photo(np.ascontiguousarray(picture)), output / name, overwrite=overwrite)
    before, after = (psnr(to_float(seen), to_float(original)) for seen in (noisy, clean))
    report(
        as_json,
        {"engine": engine.description, "noisy_db": before, "clean_db": after, "folder": output},
        f"{engine.description}: {before:.2f} dB -> {after:.2f} dB",
        f"wrote {', '.join(names)} to {output}",
    )
