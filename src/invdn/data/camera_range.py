"""Ranges of cameras for synthetic noise, each number with its source."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..errors import InputError

Interval = tuple[float, float]

# Camera RGB after white balance -> linear sRGB; rows sum to one. That of the Samsung S6 is
# recovered exactly from the SIDD pairs (their development is linear but for the tone curve, so the
# matrix is the null vector of Malvar's demosaicing equations); the others follow from the
# XYZ-to-camera matrices in the makers' DNG files (A: tungsten light, D65: daylight), rows
# normalised, inverted.
COLOUR_MATRICES: Mapping[str, tuple[tuple[float, float, float], ...]] = {
    "Samsung S6, 3200 K": (
        (1.076, -0.325, 0.249),
        (-0.196, 1.394, -0.198),
        (-0.003, -0.590, 1.593),
    ),
    "iPhone 11 Pro, A": ((0.897, -0.116, 0.218), (-0.127, 1.210, -0.082), (-0.015, -0.349, 1.364)),
    "iPhone 11 Pro, D65": (
        (1.401, -0.360, -0.041),
        (-0.167, 1.391, -0.224),
        (0.021, -0.652, 1.631),
    ),
    "Nexus 6P, D65": ((2.121, -0.967, -0.154), (-0.126, 1.586, -0.460), (0.050, -0.442, 1.392)),
    "Sony A7R, D65": ((1.262, -0.458, 0.196), (-0.150, 1.133, 0.017), (-0.011, -0.362, 1.373)),
    "Sony RX100 IV, D65": (
        (1.634, -0.437, -0.197),
        (-0.183, 1.502, -0.319),
        (0.041, -0.430, 1.389),
    ),
    "Canon 5D III, D65": ((1.965, -1.120, 0.155), (-0.241, 1.674, -0.433), (0.014, -0.550, 1.536)),
    "Nikon D750, D65": ((1.647, -0.450, -0.197), (-0.182, 1.597, -0.415), (0.012, -0.438, 1.426)),
    "Fujifilm X-T1, D65": (
        (1.644, -0.554, -0.090),
        (-0.190, 1.646, -0.456),
        (0.051, -0.541, 1.490),
    ),
    "Panasonic GH4, D65": (
        (1.762, -0.557, -0.205),
        (-0.283, 1.738, -0.455),
        (0.019, -0.496, 1.477),
    ),
}
_PHONES = ("Samsung S6, 3200 K", "iPhone 11 Pro, A", "iPhone 11 Pro, D65", "Nexus 6P, D65")


@dataclass(frozen=True)
class CameraDistribution:
    """From what a camera, its exposure and its settings are drawn, one draw for every photograph.

    Intervals are drawn uniformly, or log-uniformly where said; a share is a probability. Light is
    measured in units of sensor saturation. "SIDD" marks numbers measured on the SIDD training
    pairs (Samsung S6), "photographs" those measured on flat areas of real noisy photographs.

    Attributes:
        exposure: factor on the clean light, log-uniform. SIDD scenes lie at 0.005 to 0.15 of
            saturation; above 1 the highlights saturate and lose their noise.
        shot: variance of the shot noise per unit of light, log-uniform. SIDD: 4.5e-4 to 9.6e-4 at
            ISO 100 (the maker brightens the corners), 5e-3 in the validation scene. 20 phone
            sensors at ISO 100: 3e-5, 3.6e-4, 1.2e-3 (5, 50, 95 %); the least is half the median.
        shot_at_iso_100: the same at ISO 100, to which it is proportional. Phone: SIDD; DSLR: the
            inverse of a full-frame pixel's capacity, about 75,000 electrons.
        read: mean and standard deviation of log(read variance) - 1.8 log(shot) where shot is 1e-3.
            Quartiles there: the noise models in the DNG files of 20 phone sensors -0.9, 0.1, 0.4;
            darktable's profiles of 374 cameras, brought to raw pixels, -0.6, 0.0, 0.8. Over all
            sensitivities: SIDD's five phones -0.1, 0.3, 0.5 (its S6 -1.0 at high ISO), five DSLRs
            of Wei et al. (ELD, CVPR 2020) -0.1, 0.7, 1.6. All have long tails to both sides.
        read_slope: change of that mean with log(shot). Medians at shot 1e-4, 5e-4, 2e-3, 6e-3 and
            2e-2: phones 1.5, 0.2, 0.0, 0.2, -0.1; darktable's cameras 1.3, 0.4, -0.2, -0.8, -1.7.
        banding: standard deviation of the noise that a row shares, in units of the read noise;
            drawn for ``banding_share`` of the photographs. ELD's DSLRs: 0.05 to 0.17.
        hot_share: photographs with hot and dead pixels, which no reference shows.
        hot_pixels: share of the pixels that are hot (nine of ten, by up to saturation, most by
            little) or dead, log-uniform. Ours: from a new sensor to a warm one.
        matrices: names of colour matrices; a camera's lies anywhere between two of them.
        temperature: position between tungsten (0) and shade (1) light, which sets the white
            balance gains (red 1.3 to 2.5, blue 2.9 to 1.3, each with a tolerance of 15 %); SIDD
            under 3200 K: 1.75 and 2.1.
        bits: depth of the raw numbers. SIDD: 10.
        clipped_black_share: cameras that cut raw noise off at black (SIDD) instead of keeping its
            negative half until the end (most DSLRs).
        bilinear_share: cameras whose demosaicing lies anywhere between Malvar's and bilinear.
        binned_share: photographs reduced in size, whose pixels measured all three colours.
        contrast: strength of the S-shaped tone curve on top of sRGB's; 0 is plain sRGB (SIDD).
        luma: mix of the luma noise with a Gaussian blur of itself: 1 is fully blurred, negative
            is sharpened. Drawn, like ``chroma``, for ``smoothing_share`` of the photographs.
        luma_radius: standard deviation of that blur in pixels. Luma noise of ten camera JPEGs
            (Canon, Nikon, Sony): 0.27 to 0.65 between neighbours, -0.09 to 0.25 at 2 pixels.
        luma_kept: share of the luma noise that the camera's denoising leaves, alike at all
            frequencies, log-uniform. The same JPEGs: chroma noise as strong as 0.3 to 0.8 of luma
            noise, although chroma is blurred far more.
        chroma: the same as ``luma`` for chroma noise.
        chroma_radius: the same for chroma noise, log-uniform. The same JPEGs: chroma noise is
            shared by 0.82 to 0.94 at 1 pixel, by 0.2 to 0.8 at 4, by up to 0.56 at 8: radii of
            1.5 to 5.
        spared: how much less a camera smooths and denoises at edges: 0 alike everywhere, 1 not at
            all there.
        jpeg_share: photographs that went through JPEG.
        jpeg_quality: of the quantisation tables in the standard's annex K.
        output_bits: depth of the developed photograph; JPEG always has 8.
        developed_reference_share: sets whose clean reference averages developed photographs (DSLR
            sets), not raw frames before development (SIDD).
        lift: share that the clean reference keeps of what clipping at black adds to the mean of raw
            frames: 1 for a plain average, 0 for a perfect estimate of the light. SIDD estimates its
            references from many frames robustly; measured at about 1 at ISO 100, where little is
            clipped, and at 0.5 on the average in the validation scene.
    """

    exposure: Interval = (0.08, 1.3)
    shot: Interval = (1.8e-4, 0.035)
    shot_at_iso_100: float = 4.9e-4
    read: Interval = (0.1, 0.9)
    read_slope: float = -0.2
    banding: Interval = (0.05, 0.2)
    banding_share: float = 0.5
    hot_share: float = 0.1
    hot_pixels: Interval = (1e-5, 1e-3)
    matrices: tuple[str, ...] = _PHONES
    temperature: Interval = (0.0, 1.0)
    bits: tuple[int, int] = (10, 12)
    clipped_black_share: float = 0.9
    bilinear_share: float = 0.1
    binned_share: float = 0.03
    contrast: Interval = (0.0, 0.6)
    luma: Interval = (-0.3, 0.5)
    luma_radius: Interval = (0.5, 0.8)
    luma_kept: Interval = (0.6, 1.0)
    chroma: Interval = (0.0, 0.9)
    chroma_radius: Interval = (0.6, 3.0)
    spared: Interval = (0.0, 1.0)
    smoothing_share: float = 0.1
    jpeg_share: float = 0.1
    jpeg_quality: Interval = (80, 98)
    output_bits: int = 8
    developed_reference_share: float = 0.0
    lift: Interval = (0.5, 1.0)

    def at_iso(self, iso: float) -> "CameraDistribution":
        """Return the same cameras at one sensitivity.

        Raises:
            InputError: ``iso`` is not positive.

        Example:
            >>> PHONE.at_iso(1000).shot
            (0.0049, 0.0049)
        """
        if not 0 < iso < math.inf:
            raise InputError(f"ISO {iso} does not exist; give a positive number such as 800")
        shot = self.shot_at_iso_100 * iso / 100
        return replace(self, shot=(shot, shot))


PHONE = CameraDistribution()
"""Phones as in SIDD: heavy raw noise clipped at black, Malvar's demosaicing, plain sRGB."""

DSLR = CameraDistribution(
    exposure=(0.25, 1.3),
    shot=(3e-5, 1.2e-2),
    shot_at_iso_100=1.3e-5,
    read=(0.1, 1.2),
    read_slope=-0.5,
    matrices=tuple(COLOUR_MATRICES),
    bits=(12, 14),
    clipped_black_share=0.2,
    bilinear_share=0.4,
    binned_share=0.1,
    contrast=(0.0, 2.5),
    luma=(-0.1, 1.0),
    luma_radius=(0.5, 0.85),
    luma_kept=(0.3, 1.0),
    chroma=(0.7, 1.0),
    chroma_radius=(0.9, 4.5),
    smoothing_share=0.85,
    jpeg_share=0.8,
    jpeg_quality=(75, 97),
    developed_reference_share=0.8,
    lift=(1.0, 1.0),
)
"""DSLR photographs as the camera saves them: lighter noise, smoothed, with tone curve and JPEG."""

MIXED: Mapping[CameraDistribution, float] = {PHONE: 0.75, DSLR: 0.25}
"""The mixture for training: mainly phones."""
