"""Recipes: everything that decides the outcome of a training, as validated models."""

import math
import re
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ..architecture import Architecture


def parse_duration(value: object) -> object:
    """Return the seconds of a duration such as ``"9m"``, ``"1h30m"``, ``"90s"`` or ``90``.

    Raises:
        ValueError: a text of another form; values that are no texts are left to others to refuse.

    Example:
        >>> parse_duration("1h30m"), parse_duration("1.5m"), parse_duration(45)
        (5400.0, 90.0, 45)
    """
    if not isinstance(value, str):
        return value
    number = r"(\d+(?:\.\d+)?)"
    found = re.fullmatch(rf"(?:{number}h)?(?:{number}m)?(?:{number}s?)?", value.replace(" ", ""))
    if not found or not any(found.groups()):
        raise ValueError(f"{value!r} is no duration: write 90s, 9m or 1h30m")
    parts = zip(found.groups("0"), (3600, 60, 1), strict=True)
    return sum(float(part) * seconds for part, seconds in parts)


def format_duration(seconds: float) -> str:
    """Return a duration as ``parse_duration`` reads it, to the next second.

    Example:
        >>> format_duration(5400), format_duration(61.2), format_duration(0.4)
        ('1h30m', '1m2s', '1s')
    """
    hours, rest = divmod(math.ceil(seconds), 3600)
    parts = zip((hours, *divmod(rest, 60)), "hms", strict=True)
    return "".join(f"{count}{unit}" for count, unit in parts if count) or "0s"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class NetworkSettings(_Model):
    """The shape of the network.

    A level for every number of ``blocks``: two make x4, three x8. ``channels`` is 3 for RGB, 1 for
    grey (the luma of the data's colours), 4 for the planes R, G, G, B of a colour filter array.
    """

    blocks: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=1, max_length=4)
    features: int = Field(ge=1)
    channels: Literal[1, 3, 4] = 3

    @property
    def architecture(self) -> Architecture:
        """The same as the rest of the package knows it."""
        return Architecture(self.blocks, self.features, self.channels)

    @property
    def multiple(self) -> int:
        """What the sides of a crop must be divisible by."""
        return self.architecture.scale * (2 if self.channels == 4 else 1)


class CameraSettings(_Model):
    """Shares of the cameras that synthetic noise comes from."""

    phone: float = Field(default=0.75, ge=0)
    dslr: float = Field(default=0.25, ge=0)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.phone + self.dslr == 0:
            raise ValueError("at least one camera needs a share")
        return self


Factor = Annotated[float, Field(gt=0, le=100)]


class ColorSettings(_Model):
    """How the colours of clean crops are changed; see ``data.colors.ColorOptions``."""

    share: float = Field(default=0, ge=0, le=1)
    saturation: tuple[Factor, Factor] = (1.0, 1.0)
    hue_share: float = Field(default=0, ge=0, le=1)
    permutation_share: float = Field(default=0, ge=0, le=1)
    white_balance: float = Field(default=0, ge=0, le=1)
    gains: tuple[Factor, Factor] = (1.0, 1.0)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for name in ("saturation", "gains"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} must rise, from the least to the largest factor")
        return self


class DataSettings(_Model):
    """Where samples come from; paths are relative to ``root``."""

    root: Path = Path()
    pairs: tuple[Path, ...] = ()
    clean: tuple[Path, ...] = ()
    pair_fraction: float = Field(ge=0, le=1)
    zoom_share: float = Field(default=0, ge=0, le=1)
    zoom_largest: float = Field(default=1, ge=1, le=8)
    smooth_share: float = Field(default=0, ge=0, le=1)
    drawn_share: float = Field(default=0, ge=0, le=1)
    full_exposure_share: float = Field(default=0, ge=0, le=1)
    unchanged_share: float = Field(default=0, ge=0, le=1)
    faint_share: float = Field(default=0, ge=0, le=1)
    added_share: float = Field(default=0, ge=0, le=1)
    averaged_share: float = Field(default=0, ge=0, le=1)
    colors: ColorSettings = ColorSettings()
    cameras: CameraSettings = CameraSettings()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.unchanged_share + self.faint_share > 1:
            raise ValueError("unchanged_share and faint_share together exceed 1")
        return self


class LossSettings(_Model):
    """Weights of the terms; ``cauchy`` is a root mean squared error of an image, 0 for none.

    ``log_scales`` weighs the mean square of the couplings' log-scales, which calms the inverse.
    """

    forward: float = Field(ge=0)
    backward: float = Field(ge=0)
    areas: float = Field(default=0, ge=0)
    gradient: float = Field(default=0, ge=0)
    ssim: float = Field(default=0, ge=0)
    log_scales: float = Field(default=0, ge=0)
    epsilon: float = Field(gt=0)
    cauchy: float = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.cauchy and not self.backward:
            raise ValueError("cauchy needs a weight of backward, whose error it is measured by")
        return self


class DistillationSettings(_Model):
    """A larger network to learn from: a shipped model's name, or a weights file.

    ``share`` of the loss of the denoised image is measured against the teacher's; with ``prune``
    the training begins with its weights, unless others are given. With ``keep`` its images are the
    references of all photographs, and drawn pictures alone have their own: what is learned from
    these costs least of what it knows.
    """

    teacher: str = Field(min_length=1)
    share: float = Field(default=0, ge=0, le=1)
    prune: bool = False
    keep: bool = False

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.keep and self.share:
            raise ValueError("keep measures photographs against the teacher alone: leave share out")
        return self


class OptimiserSettings(_Model):
    """Adam, clipping and the running mean of the weights."""

    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]]
    weight_decay: float = Field(ge=0)
    clip_norm: float = Field(gt=0)
    ema_decay: float = Field(ge=0, lt=1)


class Phase(_Model):
    """A stretch of steps with one crop, batch and course of the learning rate."""

    steps: int = Field(ge=1)
    crop: int = Field(ge=8, multiple_of=4)
    batch: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    warm_up: int = Field(default=0, ge=0)
    halve_at: tuple[int, ...] = ()
    decay: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if list(self.halve_at) != sorted(set(self.halve_at)):
            raise ValueError("halve_at must rise")
        if self.halve_at and self.halve_at[-1] >= self.steps:
            raise ValueError(f"halve_at must stay below the {self.steps} steps of the phase")
        if self.warm_up + self.decay > self.steps:
            raise ValueError("warm_up and decay together are longer than the phase")
        return self


class NoiseSettings(_Model):
    """A synthetic validation set: a kind of camera, and its variance of shot noise."""

    camera: Literal["phone", "dslr"]
    shot: float = Field(gt=0)


class ValidationSettings(_Model):
    """What is measured while training: real pairs, and synthetic noise on held-out photographs."""

    every: int = Field(ge=1)
    pairs: tuple[Path, ...] = ()
    limit: int | None = Field(default=None, ge=1)
    photographs: tuple[str, ...] = ()
    crop: int = Field(default=192, ge=16, multiple_of=4)
    noise: dict[str, NoiseSettings] = {}


class LogSettings(_Model):
    """How often, in steps, things are written."""

    every: int = Field(ge=1)
    checkpoint_every: int = Field(ge=1)
    pictures: int = Field(default=4, ge=0, le=32)


class HardwareSettings(_Model):
    """Where and how it runs; ``batch_scale`` alone among these changes the outcome."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    devices: int = Field(default=1, ge=1)
    nodes: int = Field(default=1, ge=1)
    precision: Literal["fp32", "tf32", "mixed", "bf16"] = "fp32"
    channels_last: bool = False
    compile: bool = False
    graph: bool = False
    recompute: bool = False
    resident: bool = False
    workers: int = Field(default=1, ge=0)
    threads: int | None = Field(default=None, ge=1)
    batch_scale: float = Field(default=1, gt=0)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.compile and self.recompute:
            raise ValueError("compile cannot see into what recompute does: choose one of them")
        if self.graph and (self.compile or self.recompute or self.devices * self.nodes > 1):
            raise ValueError(
                "graph records the step of one GPU as it is: leave out compile, recompute and "
                "further devices"
            )
        if self.recompute and self.precision != "fp32":
            raise ValueError(
                f"recompute inverts the network, which {self.precision} is too coarse for (a "
                "trained network gets wrong gradients): use precision = 'fp32' with it"
            )
        return self


class Recipe(_Model):
    """A whole training; see the shipped files for the meaning and the source of every number.

    Example:
        >>> from invdn.training.recipe_files import load_recipe
        >>> recipe = load_recipe("smoke", ["seed=7"])
        >>> recipe.seed, recipe.network.architecture.scale
        (7, 4)
    """

    title: str
    seed: int = Field(ge=0, lt=2**32)
    budget: Annotated[float, BeforeValidator(parse_duration), Field(gt=0)] | None = None
    network: NetworkSettings
    data: DataSettings
    losses: LossSettings
    distillation: DistillationSettings | None = None
    optimiser: OptimiserSettings
    phases: tuple[Phase, ...] = Field(min_length=1)
    validation: ValidationSettings
    log: LogSettings
    hardware: HardwareSettings = HardwareSettings()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.log.checkpoint_every % self.log.every:
            raise ValueError(
                f"log.checkpoint_every ({self.log.checkpoint_every}) must be a multiple of "
                f"log.every ({self.log.every})"
            )
        if self.validation.every % self.log.checkpoint_every:
            raise ValueError(
                f"validation.every ({self.validation.every}) must be a multiple of "
                f"log.checkpoint_every ({self.log.checkpoint_every})"
            )
        if self.distillation and self.distillation.keep and not self.data.drawn_share:
            raise ValueError("distillation.keep learns from drawn pictures: give data.drawn_share")
        if self.losses.log_scales and (self.hardware.recompute or self.hardware.compile):
            raise ValueError("losses.log_scales works without hardware.recompute and compile only")
        sides = {f"phases.{n}.crop": phase.crop for n, phase in enumerate(self.phases)}
        for name, side in {**sides, "validation.crop": self.validation.crop}.items():
            if side % self.network.multiple:
                raise ValueError(
                    f"{name} must be a multiple of {self.network.multiple} for this network, "
                    f"not {side}"
                )
        if self.validation.noise and not self.validation.photographs:
            raise ValueError("validation.noise needs validation.photographs to put noise on")
        for path in self.validation.pairs:
            if path.name in self.validation.noise:
                raise ValueError(f"validation.noise and validation.pairs both name {path.name!r}")
        return self

    @property
    def steps(self) -> int:
        """Steps of all phases together."""
        return sum(phase.steps for phase in self.phases)

    def locate(self, step: float) -> tuple[int, float]:
        """Return the phase that ``step`` belongs to, and the number of the step within it.

        The end of the training counts as the end of the last phase.
        """
        ends = list(accumulate(phase.steps for phase in self.phases))
        index = next((i for i, end in enumerate(ends) if step < end), len(ends) - 1)
        return index, step - (ends[index] - self.phases[index].steps)
