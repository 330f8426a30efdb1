"""What a user may choose about denoising, apart from model and device."""

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from ..errors import InputError

Quality = Literal["fast", "balanced", "best"]
Strength = float | Literal["auto"]

SMALLEST_TILE = 64

#: (symmetries, draws) of each quality; the cost in network passes is symmetries * (1 + draws).
#: Single draws, of ``fast`` and ``best``, are at latent scale 0, as the options decide below.
QUALITIES: MappingProxyType[Quality, tuple[int, int]] = MappingProxyType(
    {"fast": (1, 1), "balanced": (1, 4), "best": (8, 1)}
)


@dataclass(frozen=True)
class DenoiseOptions:
    """How a photograph is denoised.

    The result is the mean over ``symmetries * draws`` samples. The upstream modes are values of
    these two numbers: (8, 1) is the self-ensemble, (1, 16) Monte Carlo, (8, 16) both.

    Attributes:
        symmetries: 1 (as it stands) or 8 (all flips and quarter turns of the photograph).
        draws: samples of the latent for each symmetry, 1 or more.
        seed: which sample is drawn, 0 to 2**64 - 1; the same seed gives the same result.
        latent_scale: standard deviation of the latent, 0 or more. None: 1, as in training, where
            draws are averaged, and 0 for a single draw: the middle of the distribution is nearer
            to their mean than any one of them (docs/speed.md).
        tile: edge length in pixels of the square pieces that bound the memory; 0 takes the whole
            photograph at once. None: what suits the engine, 512 on a CPU and 2048 on a GPU.
        overlap: pixels of context around each tile; see docs/tiling.md for what it costs.
        max_memory: bytes that the process may need with this photograph; tiles become smaller
            than ``tile`` until they fit. None: no limit.
        strength: how much of the change is made: 0 gives the photograph back exactly, 1 is the
            network's result exactly; ``"auto"`` decides it for every pixel by the noise that
            was found, so that a clean photograph stays nearly as it is.
        luminance: share of the change of brightness (luma), 0 to 1.
        chroma: share of the change of colour, 0 to 1.
        detail: share of the fine structure in the removed brightness that is given back, 0 to 1;
            what noise explains and all colour noise stay removed. docs/control.md has the formula.

    Raises:
        InputError: a value is outside its range.

    Example:
        >>> DenoiseOptions(*QUALITIES["best"], seed=7).symmetries
        8
        >>> DenoiseOptions().latent_deviation, DenoiseOptions(draws=4).latent_deviation
        (0.0, 1.0)
        >>> DenoiseOptions(symmetries=3)
        Traceback (most recent call last):
            ...
        invdn.errors.InputError: symmetries must be 1 or 8, not 3
    """

    symmetries: int = 1
    draws: int = 1
    seed: int = 0
    latent_scale: float | None = None
    tile: int | None = None
    overlap: int = 32
    max_memory: int | None = None
    strength: Strength = "auto"
    luminance: float = 1.0
    chroma: float = 1.0
    detail: float = 0.0

    def __post_init__(self) -> None:
        if self.symmetries not in (1, 8):
            raise InputError(f"symmetries must be 1 or 8, not {self.symmetries}")
        if self.draws < 1:
            raise InputError(f"draws must be 1 or more, not {self.draws}")
        if not 0 <= self.seed < 2**64:
            raise InputError(f"seed must be from 0 to 2**64 - 1, not {self.seed}")
        if self.latent_scale is not None and not 0 <= self.latent_scale < float("inf"):
            raise InputError(
                f"latent_scale must be a finite number from 0 up, not {self.latent_scale}"
            )
        if self.latent_scale == 0 and self.draws > 1:
            raise InputError(
                "with a latent_scale of 0 all draws are alike: set draws to 1, or the scale to 1"
            )
        if self.tile and self.tile < SMALLEST_TILE:
            raise InputError(
                f"tile must be 0 (whole photograph) or {SMALLEST_TILE} pixels or more, "
                f"not {self.tile}"
            )
        if self.overlap < 0:
            raise InputError(f"overlap must be 0 or more, not {self.overlap}")
        if self.max_memory is not None and self.max_memory < 1:
            raise InputError(f"max_memory must be 1 byte or more, not {self.max_memory}")
        if isinstance(self.strength, str) and self.strength != "auto":
            raise InputError(f"strength must be 'auto' or from 0 to 1, not {self.strength!r}")
        for name in ("strength", "luminance", "chroma", "detail"):
            value = getattr(self, name)
            if not isinstance(value, str) and not 0 <= value <= 1:
                raise InputError(f"{name} must be from 0 to 1, not {value}")

    @property
    def latent_deviation(self) -> float:
        """The standard deviation of the latent: what was asked for, or what suits the samples."""
        if self.latent_scale is not None:
            return self.latent_scale
        return 0.0 if self.draws == 1 else 1.0

    @property
    def of_network(self) -> "DenoiseOptions":
        """The options without those that are blended after the network."""
        return replace(self, strength=1.0, luminance=1.0, chroma=1.0, detail=0.0)

    @property
    def takes_everything(self) -> bool:
        """Whether the result is the network's own."""
        return self.strength == self.luminance == self.chroma == 1 and self.detail == 0

    @property
    def takes_nothing(self) -> bool:
        """Whether the result is the photograph as it was, so that no network is needed."""
        return self.strength == 0 or self.luminance == self.chroma == 0

    @property
    def looks_at_noise(self) -> bool:
        """Whether the result depends on the photograph's noise estimate."""
        return self.strength == "auto" or self.detail > 0
