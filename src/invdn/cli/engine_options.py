"""The options that every command that denoises shares: which network runs where, how often."""

import click

from .option_group import OptionGroup

engine_options = OptionGroup(
    click.option(
        "-m", "--model", default="default", show_default=True, help="Name, file or folder."
    ),
    click.option(
        "-d", "--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps."
    ),
    click.option(
        "--runtime",
        type=click.Choice(["auto", "native", "onnxruntime", "torch"]),
        default="auto",
        show_default=True,
    ),
    click.option(
        "--precision",
        type=click.Choice(["auto", "float32", "float16", "bfloat16"]),
        default="auto",
        show_default=True,
        help="Of convolutions on a GPU; auto: float16 on NVIDIA's where it costs below 0.02 dB.",
    ),
)
quality_options = OptionGroup(
    click.option(
        "-q",
        "--quality",
        type=click.Choice(["fast", "balanced", "best"]),
        default="fast",
        show_default=True,
        help="Samples that are averaged: 1, 4, or one for each of 8 symmetries.",
    ),
    click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same result."),
)
