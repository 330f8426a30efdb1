"""Realistic noise for clean photographs: back to the sensor, noise there, and development again."""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d, pad

from ..errors import InputError
from ..image.curves import SRGB_GAMMA, SRGB_KNEE, SRGB_KNEE_LIGHT, SRGB_OFFSET, SRGB_SLOPE
from ..image.dct import YCBCR
from .camera import Cameras
from .demosaicing import bayer_sites, demosaic, mosaic
from .jpeg import jpeg_round_trip, mix_channels

# Variance after demosaicing over variance before, mean over colours and drawn cameras; measured.
_DEMOSAICED_VARIANCE = 0.64
# Gauss-Hermite rule for means over Gaussian noise; curves have kinks at black and white.
_NODES, _WEIGHTS = (it.tolist() for it in np.polynomial.hermite_e.hermegauss(9))
# Radius in pixels that holds 99 % of the widest smoothing kernel.
_SMOOTHING_RADIUS = 12
# Slope of the luma at which a camera sees an edge, in a pixel; ours.
_EDGE = 0.1


class NoisyPair(NamedTuple):
    """A noisy photograph and what a perfect denoiser makes of it, both (n, 3, H, W) in [0, 1]."""

    noisy: Tensor
    clean: Tensor


def _per_image(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)


def render(light: Tensor, contrast: Tensor) -> Tensor:
    """Give linear sRGB light to display values in [0, 1]: sRGB's tone curve, then an S-shaped one.

    Args:
        light: (n, 3, H, W); clipped to [0, 1].
        contrast: (n,), strength of the S: its slope in the middle is about 1 + contrast**2 / 12.

    Source: IEC 61966-2-1 for sRGB.
    """
    light = light.clamp(0, 1)
    display = torch.where(
        light <= SRGB_KNEE_LIGHT,
        light * SRGB_SLOPE,
        (1 + SRGB_OFFSET) * light.clamp(min=SRGB_KNEE_LIGHT) ** (1 / SRGB_GAMMA) - SRGB_OFFSET,
    )
    strength = _per_image(contrast.clamp(min=1e-3))
    return 0.5 + torch.tanh(strength * (display - 0.5)) / (2 * torch.tanh(strength / 2))


def unprocess(display: Tensor, contrast: Tensor) -> Tensor:
    """Return the inverse of ``develop`` on [0, 1]."""
    strength = _per_image(contrast.clamp(min=1e-3))
    bent = (2 * display.clamp(0, 1) - 1) * torch.tanh(strength / 2)
    display = (0.5 + torch.atanh(bent) / strength).clamp(0, 1)
    return torch.where(
        display <= SRGB_KNEE,
        display / SRGB_SLOPE,
        ((display.clamp(min=SRGB_KNEE) + SRGB_OFFSET) / (1 + SRGB_OFFSET)) ** SRGB_GAMMA,
    )


def _mean_excess(distance: Tensor, deviation: Tensor) -> Tensor:
    """Give mean of max(noise - distance, 0) for Gaussian noise: what clipping there takes away."""
    t = distance / deviation
    density = torch.exp(-t * t / 2) / math.sqrt(2 * math.pi)
    excess: Tensor = density - t * torch.special.ndtr(-t)
    return deviation * excess


def _clipped_variance(mean: Tensor, deviation: Tensor) -> Tensor:
    """Give the variance of max(mean + noise, 0) for Gaussian noise."""
    t = mean / deviation
    density = torch.exp(-t * t / 2) / math.sqrt(2 * math.pi)
    above = torch.special.ndtr(t)
    first = mean * above + deviation * density
    second = (mean**2 + deviation**2) * above + mean * deviation * density
    variance: Tensor = (second - first**2).clamp(min=0)
    return variance


def _sensor_noise(
    scene: Tensor, variance: Tensor, cameras: Cameras, generator: torch.Generator
) -> Tensor:
    """Draw shot, read and banding noise with the skewness of Poisson's (Cornish-Fisher)."""
    n, _, height, _ = scene.shape
    deviation = variance.sqrt()
    skewness = (_per_image(cameras.shot**2) * scene / (variance * deviation)).clamp(max=1)
    normal = torch.randn(scene.shape, generator=generator, device=scene.device)
    rows = torch.randn((n, 1, height, 1), generator=generator, device=scene.device)
    noise = deviation * (normal + skewness / 6 * (normal * normal - 1))
    return noise + rows * _per_image(cameras.banding)


def _add_hot_pixels(raw: Tensor, cameras: Cameras, generator: torch.Generator) -> Tensor:
    """Set a few pixels of (n, 3, H, W) to 0, and add to nine times as many up to saturation."""
    n, _, height, width = raw.shape
    density = _per_image(cameras.hot.clamp(min=1e-9))
    place = torch.rand((n, 1, height, width), generator=generator, device=raw.device) / density
    hot = raw + ((place - 0.1) / 0.9) ** 3  # most by little
    return torch.where(place < 1, torch.where(place < 0.1, 0.0, hot), raw)


def _edges(picture: Tensor) -> Tensor:
    """Return where a camera sees edges in (n, 3, H, W): (n, 1, H, W) from 0 to 1."""
    luma = picture.mean(1, keepdim=True)
    down = pad((luma[:, :, 1:] - luma[:, :, :-1]).abs(), (0, 0, 0, 1))
    across = pad((luma[..., 1:] - luma[..., :-1]).abs(), (0, 1))
    return max_pool2d((down + across) / _EDGE, 5, 1, 2).clamp(max=1)


def _gaussians(radius: Tensor) -> Tensor:
    """Give kernels of one dimension and of sum 1, (n, 3, size), for radii (n, 3) in pixels."""
    position = torch.arange(-_SMOOTHING_RADIUS, _SMOOTHING_RADIUS + 1, device=radius.device)
    return torch.softmax(-((position / radius.unsqueeze(2)) ** 2) / 2, dim=2)


def _blur(planes: Tensor, kernels: Tensor) -> Tensor:
    """Filter (n, 3, H, W) along and across, every plane by its own kernel, mirrored outside."""
    n, _, height, width = planes.shape
    edge = min(_SMOOTHING_RADIUS, height - 1, width - 1)
    flat = planes.reshape(1, 3 * n, height, width)
    flat = pad(flat, (edge,) * 4, mode="reflect")
    flat = pad(flat, (_SMOOTHING_RADIUS - edge,) * 4, mode="replicate")
    flat = conv2d(flat, kernels.view(3 * n, 1, 1, -1), groups=3 * n)
    flat = conv2d(flat, kernels.view(3 * n, 1, -1, 1), groups=3 * n)
    return flat.view_as(planes)


def _smooth(noise: Tensor, picture: Tensor, cameras: Cameras) -> Tensor:
    """Do to noise (n, 3, H, W) what a camera's denoising and sharpening do, by luma and chroma.

    Args:
        noise: of display values, with a mean of about 0, which a camera's denoising keeps.
        picture: without noise, where edges are spared.
        cameras: with the strengths and radii.
    """
    matrix = torch.as_tensor(YCBCR, dtype=noise.dtype, device=noise.device)
    planes = mix_channels(noise, matrix)
    mix = torch.stack((cameras.luma, cameras.chroma, cameras.chroma), 1)
    radius = torch.stack((cameras.luma_radius, cameras.chroma_radius, cameras.chroma_radius), 1)
    flat = _blur(planes, _gaussians(radius))
    here = 1 - _per_image(cameras.spared) * _edges(picture)  # (n, 1, H, W)
    planes = torch.lerp(planes, flat, mix.view(-1, 3, 1, 1) * here)
    luma, chroma = planes[:, :1], planes[:, 1:]
    luma = luma * (1 - (1 - _per_image(cameras.luma_kept)) * here)
    planes = torch.cat((luma, chroma), 1)
    return mix_channels(planes, torch.linalg.inv(matrix))


def add_camera_noise(clean: Tensor, cameras: Cameras, generator: torch.Generator) -> NoisyPair:
    """Return photograph clean pictures with noisy cameras.

    ::

        clean ─ undo tone curve ─ exposure ─ colour matrix and white balance undone ─ raw light
                                                                                        │
        noise: shot + read + banding + hot pixels ─ clip, quantise ─ mosaic ─ demosaic ─┤
                                                                                        │
        noisy ─ 8 bit ─ JPEG ─ camera's own smoothing ─ tone curve ─ colour matrix ─────┘

    Only the noise goes through mosaic and demosaicing, so the demosaicing error of the clean
    picture, which a reference photograph shares, is no noise. The returned clean picture is what
    the average of many such photographs shows: darker or brighter by the drawn exposure, lifted
    where the sensor clips at black (as much as the camera's ``lift`` leaves) and lowered where it
    saturates. Averaged before development
    (SIDD) or, where the camera says so, after it.

    Args:
        clean: (n, 3, H, W), RGB in [0, 1]; height and width of 3 or more.
        cameras: n cameras on the same device, from ``sample_cameras``.
        generator: source of the noise, on the same device; equal states give equal noise.

    Returns:
        ``noisy``, rounded to the camera's output depth, and ``clean``.

    Raises:
        InputError: wrong shape, or not one camera for every photograph.

    Reference:
        Brooks et al., Unprocessing Images for Learned Raw Denoising, CVPR 2019 (the way back);
        Abdelhamed et al., A High-Quality Denoising Dataset for Smartphone Cameras, CVPR 2018.

    Example:
        >>> import torch
        >>> from invdn.data.camera import sample_cameras
        >>> generator = torch.Generator().manual_seed(1)
        >>> cameras = sample_cameras(2, generator)
        >>> pair = add_camera_noise(torch.rand(2, 3, 16, 16), cameras, generator)
        >>> pair.noisy.shape == pair.clean.shape
        True
    """
    if clean.ndim != 4 or clean.shape[1] != 3 or min(clean.shape[2:]) < 3:
        raise InputError(
            f"photographs must be (n, 3, H, W) of 3x3 pixels or more: {tuple(clean.shape)}"
        )
    if len(cameras) != len(clean):
        raise InputError(f"{len(clean)} photographs need as many cameras, not {len(cameras)}")
    gains = cameras.gains.view(-1, 3, 1, 1)
    levels = _per_image(cameras.levels)
    clipped_black = _per_image(cameras.clipped_black)

    light = unprocess(clean, cameras.contrast) * _per_image(cameras.exposure)
    scene = (mix_channels(light, torch.linalg.inv(cameras.matrix)) / gains).clamp(min=0)
    variance = scene * _per_image(cameras.shot) + _per_image(cameras.read)

    raw = scene + _sensor_noise(scene, variance, cameras, generator)
    raw = _add_hot_pixels(raw, cameras, generator)
    raw = torch.where(clipped_black, raw.clamp(0, 1), raw.clamp(-1, 1))
    noise = gains * ((raw * levels).round() / levels - scene.clamp(max=1))
    sites = bayer_sites(cameras.phase, *clean.shape[2:])
    noise = torch.where(
        _per_image(cameras.binned),
        noise,
        demosaic(mosaic(noise, sites), sites, cameras.demosaicing),
    )
    deviation = variance.sqrt()
    lifted = clipped_black * _per_image(cameras.lift) * _mean_excess(scene, deviation)
    shift = lifted - _mean_excess((1 - scene).abs(), deviation)
    average = light + mix_channels(shift * gains, cameras.matrix)
    left = torch.where(clipped_black, _clipped_variance(scene, deviation), variance)
    spread = (_DEMOSAICED_VARIANCE * mix_channels(left * gains**2, cameras.matrix**2)).sqrt()
    developed = sum(
        (
            weight * render(average + node * spread, cameras.contrast)
            for node, weight in zip(_NODES, _WEIGHTS, strict=True)
        ),
        start=torch.zeros_like(average),
    ) / sum(_WEIGHTS)
    target = torch.where(
        _per_image(cameras.developed_reference), developed, render(average, cameras.contrast)
    )

    exact = render(light, cameras.contrast)
    noise = render(light + mix_channels(noise, cameras.matrix), cameras.contrast) - exact
    smooth = _smooth(noise - (developed - exact), exact, cameras) + developed
    output_levels = _per_image(cameras.output_levels)
    noisy = (smooth.clamp(0, 1) * output_levels).round() / output_levels
    noisy = jpeg_round_trip(
        noisy, cameras.jpeg_quality, cameras.jpeg_subsampling, cameras.jpeg_offset
    )
    return NoisyPair(noisy, target)


def add_display_noise(
    clean: Tensor, strength: Tensor, kind: Tensor, generator: torch.Generator
) -> Tensor:
    """Add Gaussian noise to display values, as the literature's tests, editors and games do.

    No camera makes such noise: its mean stays that of the picture at every brightness, but for
    what clipping does, while a sensor's is bent by the tone curve. A network that knows sensors
    alone takes the one for the other and shifts colours.

    Args:
        clean: (n, 3, H, W), RGB in [0, 1].
        strength: (n,), standard deviation in [0, 1].
        kind: (n, 3), each in [0, 1]: how much of the noise the channels share (0: each has its
            own, 1: grey grain), how far it follows the brightness (0: alike everywhere, 1: its
            variance is proportional to the picture's), and its blur (1: a standard deviation of a
            pixel; the noise is as strong as without).
        generator: source of the noise, on the same device.

    Returns:
        (n, 3, H, W), rounded to multiples of 1/255.
    """
    n = len(clean)
    shared, bright = (_per_image(column) for column in kind[:, :2].unbind(1))
    own = torch.randn(clean.shape, generator=generator, device=clean.device)
    grey = torch.randn((n, 1, *clean.shape[2:]), generator=generator, device=clean.device)
    noise = (1 - shared).sqrt() * own + shared.sqrt() * grey
    kernels = _gaussians(kind[:, 2:].clamp(min=0.1).expand(n, 3))
    noise = _blur(noise, kernels) / kernels.square().sum(2).view(n, 3, 1, 1)  # as strong as before
    deviation = _per_image(strength) * torch.lerp(torch.ones_like(clean), clean.sqrt(), bright)
    noisy = (clean + deviation * noise).clamp(0, 1)
    return (noisy * 255).round() / 255
