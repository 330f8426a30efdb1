"""``invdn export``: a model as ONNX graphs."""

from pathlib import Path

import click

from ..errors import MissingDependencyError


@click.command()
@click.argument("model")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace files of an earlier export.")
def command(model: str, folder: Path, overwrite: bool) -> None:
    """Write MODEL as ONNX graphs into FOLDER and compare them with torch.

    MODEL is a shipped model's name or a weights file (.safetensors, .pth, .pdparams).

    \b
    weights.safetensors  one copy of the parameters for the next two
    encode.onnx          noisy -> low
    decode.onnx          low, latent -> image (N draws cost one encode and N decodes)
    denoise.onnx         noisy, latent -> image, in one file of its own

    Batch, height and width are dynamic; height and width must be divisible by the network's
    scale (4). Images are float32 RGB in [0, 1]; the latent is a sample of N(0, 1).
    """
    try:
        from ..weights.onnx_export import export_onnx
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"exporting needs {error.name}: pip install 'invdn[export]'"
        ) from error
    from ..weights import read_parameters
    from ..weights.network import build_network

    parameters = read_parameters(model)
    click.echo(f"exporting to {folder} ...", err=True)
    comparisons = export_onnx(
        build_network(parameters), folder, metadata=parameters.metadata, overwrite=overwrite
    )
    for comparison in comparisons:
        batch, height, width = comparison.shape
        click.echo(
            f"{comparison.graph:13} {batch} x 3 x {height:3} x {width:3}   "
            f"difference from torch {comparison.difference:.1e}"
        )
    largest = max(comparison.difference for comparison in comparisons)
    click.echo(f"largest difference {largest:.1e}; written to {folder}")
