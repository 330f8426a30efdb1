"""The ways in which the literature measures PSNR and SSIM, as data with names.

The same pair of images differs by some tenths of a decibel from one protocol to the next, so no
figure leaves this room without the name of its protocol.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..image.dtype import Pixels, white
from ..image.metrics import Window, luma, psnr, ssim

Colours = Literal["RGB", "Y"]
Depth = Literal["float", "8-bit"]


@dataclass(frozen=True)
class Protocol:
    """One way to measure.

    Attributes:
        name: what figures are labelled with.
        psnr_colours: the colours that enter the PSNR: all of RGB, or Y (BT.601, 16 to 235).
        ssim_colours: the same for the SSIM.
        depth: compare unrounded floats, or after rounding both images to 8 bits.
        window: of the SSIM.
        border: pixels cut from each side first.
        source: who measures like this.

    Values outside [0, 1] are clipped first; a set's figure is the mean over its images.
    """

    name: str
    psnr_colours: Colours
    ssim_colours: Colours
    depth: Depth
    window: Window
    source: str
    border: int = 0

    @property
    def description(self) -> str:
        """One line that says everything a reader needs to repeat the measurement."""
        window = self.window
        weights = "uniform" if window.sigma is None else f"Gaussian {window.sigma}"
        parts = [
            "8-bit rounded" if self.depth == "8-bit" else "unrounded floats",
            f"PSNR over {self.psnr_colours}",
            f"SSIM over {self.ssim_colours}, {window.size}x{window.size} {weights}",
            f"{window.border} border",
        ]
        if window.across == "volume":
            parts.append("filtered across the colours too")
        if window.covariance == "sample":
            parts.append("sample covariance")
        if self.border:
            parts.append(f"{self.border} px cut from each side")
        return ", ".join(parts)


@dataclass(frozen=True)
class Score:
    """PSNR in decibels (infinite for equal images) and SSIM of one image."""

    psnr: float
    ssim: float


@dataclass(frozen=True)
class Summary:
    """The mean of a set.

    Attributes:
        psnr: mean over the images that differ from their reference; infinite if none does.
        ssim: mean over all images.
        images: how many there are.
        identical: how many equal their reference: their PSNR is infinite and not in the mean.
    """

    psnr: float
    ssim: float
    images: int
    identical: int


_PROTOCOLS = (
    Protocol(
        "paddle",
        "RGB",
        "Y",
        "float",
        Window(),
        "InvDN's PaddlePaddle reproduction: 39.29 dB / 0.956 on SIDD validation",
    ),
    Protocol(
        "matlab",
        "RGB",
        "RGB",
        "8-bit",
        Window(border="replicate", across="volume"),
        "MATLAB's psnr and ssim on RGB arrays: the SIDD benchmark and most published tables",
    ),
    Protocol(
        "rgb-8bit",
        "RGB",
        "RGB",
        "8-bit",
        Window(),
        "BasicSR and the official InvDN code: Wang's window on each colour",
    ),
    Protocol(
        "rgb-float",
        "RGB",
        "RGB",
        "float",
        Window(size=7, sigma=None, covariance="sample"),
        "the defaults of scikit-image on floats",
    ),
    Protocol("y-8bit", "Y", "Y", "8-bit", Window(), "restoration papers that measure luma"),
    Protocol("y-float", "Y", "Y", "float", Window(), "luma without rounding"),
)
PROTOCOLS = {protocol.name: protocol for protocol in _PROTOCOLS}


def find_protocol(name: str) -> Protocol:
    """Return the protocol of this name; ``-borderN`` behind any name cuts N pixels from each side.

    Raises:
        InputError: there is no such protocol; the message lists them.

    Example:
        >>> find_protocol("paddle").ssim_colours
        'Y'
        >>> find_protocol("rgb-8bit-border4").border
        4
    """
    match = re.fullmatch(r"(.+?)(?:-border(\d{1,4}))?", name)
    base, border = match.groups() if match else (name, None)
    if base not in PROTOCOLS:
        raise InputError(
            f"there is no protocol {name!r}; choose from {', '.join(PROTOCOLS)}, "
            "each also with -border4 (or any number of pixels) behind it"
        )
    return replace(PROTOCOLS[base], name=name, border=int(border or 0))


def measure(protocol: Protocol, image: Pixels, reference: Pixels) -> Score:
    """Return the score of one image.

    Args:
        protocol: how to measure.
        image: ``(H, W, 3)`` or ``(H, W)``; uint8, uint16 or floats in [0, 1].
        reference: the clean image of the same height, width and colours.

    Raises:
        InputError: shapes differ, a value is NaN, or too little is left inside the border.

    Example:
        >>> import numpy as np
        >>> grey = np.full((16, 16, 3), 100, np.uint8)
        >>> measure(find_protocol("rgb-8bit"), grey, grey)
        Score(psnr=inf, ssim=1.0)
    """
    prepared = _prepare(protocol, image), _prepare(protocol, reference)
    values: dict[Colours, tuple[NDArray[np.float64], NDArray[np.float64]]] = {"RGB": prepared}
    if "Y" in (protocol.psnr_colours, protocol.ssim_colours):
        values["Y"] = (_luma(prepared[0]), _luma(prepared[1]))
    return Score(
        psnr(*values[protocol.psnr_colours]),
        ssim(*values[protocol.ssim_colours], window=protocol.window),
    )


def summarise(scores: Sequence[Score]) -> Summary:
    """Return the mean of a set, which tells of equal images instead of losing the mean to them.

    Raises:
        InputError: the set is empty.

    Example:
        >>> summarise([Score(30.0, 0.9), Score(math.inf, 1.0)])
        Summary(psnr=30.0, ssim=0.95, images=2, identical=1)
    """
    if not scores:
        raise InputError("there is no mean of no images")
    finite = [score.psnr for score in scores if math.isfinite(score.psnr)]
    return Summary(
        psnr=math.fsum(finite) / len(finite) if finite else math.inf,
        ssim=math.fsum(score.ssim for score in scores) / len(scores),
        images=len(scores),
        identical=len(scores) - len(finite),
    )


def _luma(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Y of colour images; grey ones are their own."""
    return luma(pixels) if pixels.ndim == 3 and pixels.shape[2] == 3 else pixels


def _prepare(protocol: Protocol, image: Pixels) -> NDArray[np.float64]:
    """Return unit range, clipped, rounded and cut as the protocol says."""
    pixels = np.clip(image.astype(np.float64) / white(image.dtype), 0, 1)
    if protocol.depth == "8-bit":
        pixels = np.round(pixels * 255) / 255
    cut = protocol.border
    if cut:
        if min(pixels.shape[:2]) <= 2 * cut:
            raise InputError(
                f"cutting {cut} pixels from each side leaves nothing of an image "
                f"of {pixels.shape[1]}x{pixels.shape[0]}"
            )
        pixels = pixels[cut:-cut, cut:-cut]
    return pixels
