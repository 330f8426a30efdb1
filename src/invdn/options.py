"""The options of denoising: names, defaults, bounds and help, declared once.

Python, the command, the REST service and its page all read :class:`DenoiseOptions`. The help of an
option is its entry in the docstring; its bounds stand beside its default.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from functools import cache, wraps
from inspect import cleandoc
from types import MappingProxyType
from typing import Any, Literal, TypedDict, TypeVar

from .errors import InputError

Quality = Literal["draft", "fast", "balanced", "best"]
Strength = float | Literal["auto"]
Look = Literal["gentle", "natural", "strong"]
Backend = Literal["auto", "native", "onnxruntime", "torch"]
Dtype = Literal["auto", "float32", "float16", "bfloat16", "bfloat16x3"]

SMALLEST_TILE = 64
MOST_SAMPLES = 1024  # their mean is within 3 % of the limit of more: 1 / sqrt(1024)

#: Options of each quality; the cost in network passes is 1 (or 8, in a self-ensemble) times
#: (1 + num_samples). Single samples, of all but ``balanced``, are at latent std 0. ``draft`` is
#: the quality ``fast`` of another model, see :func:`model_of_quality`.
QUALITIES: MappingProxyType[Quality, Mapping[str, Any]] = MappingProxyType(
    {
        "draft": MappingProxyType({"self_ensemble": False, "num_samples": 1}),
        "fast": MappingProxyType({"self_ensemble": False, "num_samples": 1}),
        "balanced": MappingProxyType({"self_ensemble": False, "num_samples": 4}),
        "best": MappingProxyType({"self_ensemble": True, "num_samples": 1}),
    }
)

#: Every look as (what is added to the logits of the shares of noise, share of the change of
#: brightness): how far automatic strength leans towards noise, and how much grain it leaves.
LOOKS: MappingProxyType[Look, tuple[float, float]] = MappingProxyType(
    {"gentle": (-1.0, 0.7), "natural": (0.0, 1.0), "strong": (2.0, 1.0)}
)


def model_of_quality(quality: Quality | None) -> str:
    """Return the shipped model of a quality, where the user names none."""
    return "fast" if quality == "draft" else "default"


#: Old name -> new name, of options of Python, the service and (with hyphens) the command.
RENAMED: MappingProxyType[str, str] = MappingProxyType(
    {
        "draws": "num_samples",
        "symmetries": "self_ensemble",
        "latent_scale": "latent_std",
        "tile": "tile_size",
        "overlap": "tile_overlap",
        "runtime": "backend",
        "precision": "dtype",
    }
)

# Arguments of old, and what is given instead.
_MOVED = {
    "progress": "callback",
    "choices": "files=FileOptions(write=...)",
    "region": "files=FileOptions(region=...)",
    "page": "files=FileOptions(page=...)",
    "precision": "dtype",
    "runtime": "backend",
}

T = TypeVar("T")


def explain_unknown(name: str, known: Iterable[str]) -> str:
    """Say what is wrong with an option's name, and which was probably meant.

    Args:
        name: as it was given.
        known: names that there are.

    Example:
        >>> explain_unknown("draws", ["num_samples"])
        "there is no option 'draws': it is called 'num_samples' now"
        >>> explain_unknown("strenght", ["strength", "seed"])
        "there is no option 'strenght'; did you mean 'strength'?"
    """
    names = list(known)
    new = RENAMED.get(name)
    if new in names:
        return f"there is no option {name!r}: it is called {new!r} now"
    near = get_close_matches(name, names, n=1)
    return f"there is no option {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def check_names(given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse names of options that there are not.

    Raises:
        InputError: the message names the option that was probably meant.
    """
    names = list(known)
    for name in given:
        if name not in names:
            raise InputError(explain_unknown(name, names))


def _from(low: float | None, high: float | None = None) -> Mapping[str, float | None]:
    """Return the bounds of an option, both included."""
    return {"low": low, "high": high}


def _explains_names(made: type[T]) -> type[T]:
    """Have a dataclass refuse unknown keywords with an error that names the right one."""
    original: Callable[..., None] = made.__init__

    @wraps(original)
    def checked(self: Any, *args: Any, **given: Any) -> None:
        check_names(given, (option.name for option in fields(self)))
        original(self, *args, **given)

    made.__init__ = checked  # type: ignore[method-assign]
    return made


@_explains_names
@dataclass(frozen=True)
class DenoiseOptions:
    """How a photograph is denoised.

    The result is the mean over ``num_samples`` samples, for each of the 8 symmetries in a
    self-ensemble. The upstream modes are values of these two: a self-ensemble of one sample each,
    Monte Carlo with 16 samples, or both.

    Shares are numbers from 0 to 1; whole numbers from 2 to 100, and texts such as ``"60%"``, are
    percent.

    Attributes:
        self_ensemble: average over all flips and quarter turns of the photograph.
        num_samples: samples of the latent that are averaged, for each symmetry.
        seed: decides the random samples; the same seed gives the same result.
        latent_std: standard deviation of the sampled latent; 0 is deterministic. Default: 1, as in
            training, where several samples are averaged, and 0 for one sample, which has the
            higher PSNR (docs/speed.md).
        tile_size: edge in pixels of the square tiles that bound the memory; 0 takes the whole
            photograph at once. Default: what suits the engine, 512 on a CPU and 2048 on a GPU.
        tile_overlap: pixels of context around each tile; docs/tiling.md says what it costs.
        max_memory: bytes that the process may need with this photograph; tiles become smaller
            than ``tile_size`` until they fit. Default: no limit.
        strength: share of the change that is made; 0 keeps the photograph exactly, 1 is the
            network's result exactly, ``auto`` decides it for every pixel by
            the noise that was found, so that a clean photograph stays nearly as it is.
        luminance: share of the change of brightness (luma).
        chroma: share of the change of colour.
        detail: share of the fine structure in the removed brightness that is given back. What
            noise explains and all colour noise stay removed; docs/control.md has the formula.
        look: how far automatic strength goes: ``gentle``, ``natural`` or ``strong``. ``natural``
            removes what is noise, ``gentle`` less of it and leaves 30 % of the grain, ``strong``
            also what may be noise; docs/control.md has the numbers.
        hot_pixels: mend single pixels that are far too bright or too dark, before the network.
            Only where some are found; stars stay.
        banding: take off the offsets that whole rows or columns share, before the network. Only
            where they are found; stripes of the picture stay.
        blotches: take off colour noise of 8 to 40 pixels, before the network. Only where it is
            found; colours that go with brightness, or differ by more than the blotches, stay.
        stars: keep stars and other small points of light as they are where the strength is a
            number, since the network softens them. Automatic strength keeps them anyway; in
            strong noise a speck may be taken for one.
        dither: round 8-bit results by a fixed fine pattern where they are smoother than 8 bits can
            show, so that skies have no bands. With automatic strength, and where it removed noise.

    Raises:
        InputError: a value is outside its range, or there is no option of that name.

    Example:
        >>> DenoiseOptions(**QUALITIES["best"], seed=7).self_ensemble
        True
        >>> [DenoiseOptions(num_samples=n).effective_latent_std for n in (1, 4)]
        [0.0, 1.0]
        >>> DenoiseOptions(strength="60%").strength, DenoiseOptions(chroma=60).chroma
        (0.6, 0.6)
        >>> DenoiseOptions(draws=3)
        Traceback (most recent call last):
            ...
        invdn.errors.InputError: there is no option 'draws': it is called 'num_samples' now
    """

    self_ensemble: bool = field(default=False, metadata=_from(None))
    num_samples: int = field(default=1, metadata=_from(1, MOST_SAMPLES))
    seed: int = field(default=0, metadata=_from(0, 2**64 - 1))
    latent_std: float | None = field(default=None, metadata=_from(0, 100))
    tile_size: int | None = field(default=None, metadata=_from(0, 65_536))
    tile_overlap: int = field(default=32, metadata=_from(0, 1024))
    max_memory: int | None = field(default=None, metadata=_from(1, 2**63 - 1))
    strength: Strength = field(default="auto", metadata=_from(0, 1))
    luminance: float = field(default=1.0, metadata=_from(0, 1))
    chroma: float = field(default=1.0, metadata=_from(0, 1))
    detail: float = field(default=0.0, metadata=_from(0, 1))
    look: Look = field(default="natural", metadata=_from(None))
    hot_pixels: bool = field(default=True, metadata=_from(None))
    banding: bool = field(default=True, metadata=_from(None))
    blotches: bool = field(default=True, metadata=_from(None))
    stars: bool = field(default=False, metadata=_from(None))
    dither: bool = field(default=True, metadata=_from(None))

    def __post_init__(self) -> None:
        if not isinstance(self.self_ensemble, bool):
            raise InputError(
                f"self_ensemble must be True or False, not {self.self_ensemble!r}: all 8 "
                "symmetries, or the photograph as it stands"
            )
        for name in ("hot_pixels", "banding", "blotches", "stars", "dither"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"{name} must be True or False, not {getattr(self, name)!r}")
        for name in SHARES:
            object.__setattr__(self, name, _share(name, getattr(self, name)))
        if self.look not in LOOKS:
            raise InputError(f"look must be one of {', '.join(LOOKS)}, not {self.look!r}")
        if self.look != "natural" and self.strength != "auto":
            raise InputError(
                f"look {self.look!r} is one of automatic strength: leave out strength "
                f"{self.strength:g}, or the look"
            )
        for option in fields(self):
            _check_bounds(option.name, getattr(self, option.name), option.metadata)
        if self.latent_std == 0 and self.num_samples > 1:
            raise InputError(
                "with a latent_std of 0 all samples are alike: set num_samples to 1, or the "
                "latent_std to 1"
            )
        if self.tile_size and self.tile_size < SMALLEST_TILE:
            raise InputError(
                f"tile_size must be 0 (whole photograph) or {SMALLEST_TILE} pixels or more, "
                f"not {self.tile_size}"
            )

    @property
    def num_symmetries(self) -> int:
        """Number of symmetries that are averaged: 8 in a self-ensemble, else 1."""
        return 8 if self.self_ensemble else 1

    @property
    def total_samples(self) -> int:
        """Number of samples that are averaged, over all symmetries."""
        return self.num_symmetries * self.num_samples

    @property
    def effective_latent_std(self) -> float:
        """Standard deviation of the latent: what was asked for, or what suits the samples."""
        if self.latent_std is not None:
            return self.latent_std
        return 0.0 if self.num_samples == 1 else 1.0

    def without_blending(self) -> "DenoiseOptions":
        """Return the options without those that are blended after the network."""
        return replace(
            self,
            strength=1.0,
            luminance=1.0,
            chroma=1.0,
            detail=0.0,
            look="natural",
        )

    def of_the_network(self) -> "DenoiseOptions":
        """Return the options with which the network itself is measured, and nothing beside it.

        Automatic strength stays what photographers get, and what is mended for them.
        """
        if self.strength == "auto":
            return self
        return replace(self, hot_pixels=False, banding=False, blotches=False, stars=False)

    @property
    def is_full_strength(self) -> bool:
        """Whether the blend is the network's own, before stars are given back."""
        return self.strength == self.luminance == self.chroma == 1 and self.detail == 0

    @property
    def is_identity(self) -> bool:
        """Whether the result is the photograph as it was, so that no network is needed."""
        return self.strength == 0 or self.luminance == self.chroma == 0

    @property
    def keeps_stars(self) -> bool:
        """Whether stars are given back after the network."""
        return self.stars and self.strength != "auto"

    @property
    def dithers(self) -> bool:
        """Whether 8-bit results are dithered where they are smooth."""
        return self.dither and self.strength == "auto"

    @property
    def needs_noise_estimate(self) -> bool:
        """Whether the result depends on the photograph's noise estimate."""
        return self.strength == "auto" or self.detail > 0


class Overrides(TypedDict, total=False):
    """Options for one call; see :class:`DenoiseOptions`, and ``quality`` for several at once."""

    quality: Quality
    self_ensemble: bool
    num_samples: int
    seed: int
    latent_std: float | None
    tile_size: int | None
    tile_overlap: int
    max_memory: int | None
    strength: Strength | str
    luminance: float
    chroma: float
    detail: float
    look: Look
    hot_pixels: bool
    banding: bool
    blotches: bool
    stars: bool
    dither: bool


def options_with(options: DenoiseOptions, overrides: Mapping[str, Any]) -> DenoiseOptions:
    """Return options with single ones replaced; ``quality`` stands for the samples it names.

    Raises:
        InputError: a value is outside its range, or there is no option of that name.

    Example:
        >>> options_with(DenoiseOptions(seed=3), {"quality": "best"}).total_samples
        8
    """
    given = dict(overrides)
    for name in given:
        if name in _MOVED:
            raise InputError(f"there is no option {name!r}: give {_MOVED[name]}")
    check_names(given, [*(option.name for option in fields(options)), "quality"])
    quality = given.pop("quality", None)
    if quality is not None and quality not in QUALITIES:
        raise InputError(f"quality must be one of {', '.join(QUALITIES)}, not {quality!r}")
    return replace(options, **{**(QUALITIES[quality] if quality else {}), **given})


#: Options that are shares: 0 to 1, or percent.
SHARES = ("strength", "luminance", "chroma", "detail")


@cache
def option_help() -> Mapping[str, str]:
    """Return the help of every option: its entry in the docstring of :class:`DenoiseOptions`."""
    text = cleandoc(DenoiseOptions.__doc__ or "").partition("Attributes:\n")[2].partition("\n\n")[0]
    entries = re.findall(r"^    (\w+): (.+(?:\n {8}.+)*)", text, re.MULTILINE)
    helps = {name: re.sub(r"\s+", " ", words).strip() for name, words in entries}
    return {name: words[:1].upper() + words[1:] for name, words in helps.items()}


def _share(name: str, value: Any) -> Any:
    """Return a share from 0 to 1, given as such or in percent; ``"auto"`` as it is."""
    if value == "auto" and name == "strength":
        return value
    if isinstance(value, str):
        try:
            return float(value.removesuffix("%")) / 100 if value.endswith("%") else float(value)
        except ValueError:
            word = "'auto', " if name == "strength" else ""
            raise InputError(
                f"{name} must be {word}from 0 to 1, or in percent as 60%, not {value!r}"
            ) from None
    if isinstance(value, int | float) and 2 <= value <= 100 and value == int(value):
        return value / 100
    return value


def _check_bounds(name: str, value: Any, bounds: Mapping[str, float | None]) -> None:
    """Refuse a number outside its bounds."""
    low, high = bounds["low"], bounds["high"]
    if value is None or isinstance(value, str) or low is None:
        return
    if not (low <= value and (high is None or value <= high)):
        what = f"from {low} to {high}" if high is not None else f"{low} or more"
        if name in SHARES:
            what = ("'auto', or " if name == "strength" else "") + "from 0 to 1 (or 2 to 100 %)"
        raise InputError(f"{name} must be {what}, not {value}")
