"""Adapt a network to one camera and sensitivity, from noisy photographs alone.

::

    photographs ─ crops ─ network ─ results ──────────────┐
                    │                  │                  ▼ clean pictures: results, half as large
                    └── difference ────┴─ flat squares    │
                                             │            │
                                             ▼            ▼
                              spectrum and brightness ─ noise ─ pairs ─ gains of channels
                                                                            │
                    photographs that were kept apart ─ pairs ─ better? ── yes: write, no: refuse

Where nothing is clean, a network's own results are the best there is. Noise of the camera's own
kind, its spectrum and its growth with the light, is laid over them anew; a result at half size is
the cleanest, since half of its own faults are averaged away. Only one gain for every channel of
every convolution is trained, a few hundred numbers: so few photographs cannot teach it falsehoods.
"""

import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import InputError
from ..image.dct import LUMA
from ..image.dtype import to_float
from ..image.noise_estimation import NoiseEstimate, estimate_noise
from ..network import DenoisingModule, InvDN
from ..photo.color import network_bridge_of
from ..photo.containers.ifd import DirectoryError, read_directory
from ..photo.photo import Photo
from ..photo.read import read_photo
from ..weights.network import build_network, parameters_of

#: Called with a share of the work that is done, 0 to 1, and what is being done.
Progress = Callable[[float, str], None]

CROP, BATCH = 96, 4  # of training
_SIDE, _CROPS = 256, 24  # of what is taken from the photographs
_HELD_OUT = 0.25  # share of the photographs (of the crops, where there is one) that is kept apart
_RATE, _WARM_UP = 2e-3, 10
_LEAST_GAIN = 0.02  # dB on what was kept apart, below which the network stays as it was
_SHARES = (1.0, 0.5)  # of the found change that are tried
_SQUARE = 32  # pixels on a side of the squares in which noise is measured
_REACH = 12  # pixels; farther apart, noise is taken as independent
_FLAT = 0.25  # share of the squares of a brightness that count as flat
_LEAST_SQUARES = 24
# What photographs of one shoot may differ by: two stops of ISO, and the noise that makes.
_ISO, _NOISE, _LENGTH, _CORRELATION = 4.0, 3.0, 1.5, 0.25


@dataclass(frozen=True)
class Shoot:
    """Crops of photographs that belong together.

    Attributes:
        crops: ``(N, 3, H, W)``, RGB in [0, 1], in the network's colours.
        photograph: (N,) number of the photograph that each was cut from.
    """

    crops: Tensor
    photograph: tuple[int, ...]


@dataclass(frozen=True)
class Adaptation:
    """What became of an adaptation.

    Attributes:
        network: the adapted one, or a copy of the original where that was better.
        gain: dB on pairs of photographs that were kept apart; 0 where the original was kept.
        share: of the found change that was taken; 0 for none.
        noise: standard deviation of the noise from dark to light, in steps of 8 bits.
        steps: that were trained.
    """

    network: InvDN
    gain: float
    share: float
    noise: tuple[float, ...]
    steps: int


def read_shoot(paths: Sequence[Path], seed: int = 0) -> Shoot:
    """Read photographs of one camera and sensitivity, and check that they belong together.

    Raises:
        InputError: there is none, one is too small or grey, or they differ in camera, sensitivity,
            size or noise; the message names two that do.
        ImageError: one cannot be read.
    """
    if not paths:
        raise InputError("an adaptation needs at least one photograph")
    random = np.random.default_rng(seed)
    crops: list[Tensor] = []
    numbers: list[int] = []
    first: tuple[Path, _Facts] | None = None
    for number, path in enumerate(paths):
        photo = read_photo(path)
        if photo.pixels.ndim != 3 or min(photo.pixels.shape[:2]) < _SIDE:
            raise InputError(
                f"{path.name} is {photo.width}x{photo.height} pixels, "
                f"{'grey' if photo.pixels.ndim == 2 else 'in colour'}: an adaptation needs "
                f"photographs in colour of {_SIDE}x{_SIDE} or more"
            )
        bridge, _ = network_bridge_of(photo)
        noise = estimate_noise(photo.pixels, bridge.to_srgb if bridge else None)
        facts = _Facts.of(photo, noise)
        first = first or (path, facts)
        facts.check(path, *first)
        for _ in range(-(-_CROPS // len(paths))):
            top, left = (int(random.integers(size - _SIDE + 1)) for size in photo.pixels.shape[:2])
            values = to_float(photo.pixels[top : top + _SIDE, left : left + _SIDE])
            values = bridge.to_srgb(values) if bridge else values
            crops.append(torch.from_numpy(values.transpose(2, 0, 1).copy()))
            numbers.append(number)
    return Shoot(torch.stack(crops), tuple(numbers))


@dataclass(frozen=True)
class _Facts:
    """What photographs of one shoot have in common; None where a file does not tell."""

    camera: str | None
    iso: float | None
    length: int
    level: float
    correlation: float

    @classmethod
    def of(cls, photo: Photo, noise: NoiseEstimate | None) -> "_Facts":
        camera, iso = camera_of(photo.metadata.exif)
        level, correlation = (noise.level, noise.correlation) if noise else (0.0, 0.0)
        return cls(camera, iso, max(photo.height, photo.width), level, correlation)

    def check(self, path: Path, first_path: Path, first: "_Facts") -> None:
        both = f"{path.name} and {first_path.name} do not fit together: "
        advice = "; adapt to one camera and sensitivity at a time"
        if self.camera and first.camera and self.camera != first.camera:
            raise InputError(f"{both}{self.camera} and {first.camera}{advice}")
        for what, own, other, most in (
            ("ISO", self.iso, first.iso, _ISO),
            ("pixels on the long side", self.length, first.length, _LENGTH),
            ("noise (of 255)", max(self.level, 0.5), max(first.level, 0.5), _NOISE),
        ):
            if own and other and not 1 / most <= own / other <= most:
                raise InputError(f"{both}{what} {own:.4g} and {other:.4g}{advice}")
        if abs(self.correlation - first.correlation) > _CORRELATION:
            raise InputError(
                f"{both}neighbouring pixels of their noise correlate by {self.correlation:.2f} and "
                f"{first.correlation:.2f}, as after different processing{advice}"
            )


def camera_of(exif: bytes | None) -> tuple[str | None, float | None]:
    """Return make and model of the camera, and the ISO number, as far as EXIF tells them."""
    if not exif:
        return None, None
    try:
        _, tags = read_directory(io.BytesIO(exif))
    except (DirectoryError, OSError):
        return None, None
    names = [
        tags.entries[tag].data.split(b"\0")[0].decode("latin-1").strip()
        for tag in (_MAKE, _MODEL)
        if tag in tags.entries
    ]
    own = tags.children.get(_EXIF)
    iso = own.entries.get(_ISO_TAG) if own else None
    return " ".join(names) or None, float(iso.first) if iso and iso.first else None


_MAKE, _MODEL, _EXIF, _ISO_TAG = 271, 272, 34665, 34855  # from: EXIF 2.32 (CIPA DC-008)


class CameraNoise:
    """Noise as measured between photographs and their results: spectrum, and growth with light.

    Args:
        noisy: ``(N, 3, H, W)`` in [0, 1].
        result: the same, denoised.
        side: of the noise that :meth:`add` draws.

    Raises:
        InputError: too little is flat to measure noise.
    """

    def __init__(self, noisy: Tensor, result: Tensor, side: int = CROP) -> None:
        rest, clean = _squares(noisy - result), _squares(result)
        luma = _luma(clean)
        fine = luma - functional.avg_pool2d(luma[:, None], 7, 1, 3)[:, 0]
        texture = fine.flatten(1).std(1)
        usable = (clean.amax((1, 2, 3)) < 0.98) & (clean.amin((1, 2, 3)) > 0.005)
        order = luma.mean((1, 2)).argsort()
        groups = order.chunk(max(1, min(10, len(order) // 20)))
        chosen = []
        for group in groups:
            group = group[usable[group]]
            chosen.append(group[texture[group].argsort()[: max(4, int(_FLAT * len(group)))]])
        flat = torch.cat(chosen)
        if len(flat) < _LEAST_SQUARES:
            raise InputError(
                "too little of the photographs is flat and neither black nor white to measure "
                "their noise: add photographs with sky, walls or shadows"
            )
        rest, brightness = rest[flat], luma[flat].mean((1, 2))
        rest = rest - rest.mean((2, 3), keepdim=True)
        spread = rest.flatten(2).std(2)  # (n, 3)
        parts = brightness.argsort().chunk(max(1, min(8, len(flat) // 6)))
        self.brightness = torch.stack([brightness[part].mean() for part in parts])
        self.spread = torch.stack([spread[p].square().median(0).values.sqrt() for p in parts])
        self._root = _root_of_spectrum(rest / spread.clamp(min=1e-4)[:, :, None, None], side)
        self._side = side

    def add(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """Make ``(B, 3, side, side)`` noisy, rounded to 8 bits as the photographs are."""
        number, side = len(clean), self._side
        white = torch.randn(number, side, side, 3, generator=generator).to(torch.complex64)
        waves = torch.einsum("hwab,nhwb->nhwa", self._root, torch.fft.fft2(white, dim=(1, 2)))
        noise = torch.fft.ifft2(waves, dim=(1, 2)).real.permute(0, 3, 1, 2)
        near = functional.pad(_luma(clean)[:, None], (2, 2, 2, 2), mode="reflect")
        strength = torch.exp(0.15 * torch.randn(number, 1, 1, 1, generator=generator))
        noisy = clean + noise * strength * self._spread_at(functional.avg_pool2d(near, 5, 1)[:, 0])
        rounded: Tensor = (noisy.clamp(0, 1) * 255).round() / 255
        return rounded

    def _spread_at(self, luma: Tensor) -> Tensor:
        """Interpolate, ``(B, H, W)`` to ``(B, 3, H, W)``."""
        places, last = self.brightness, len(self.brightness) - 1
        if last == 0:
            return self.spread[0].view(1, 3, 1, 1)
        above = torch.searchsorted(places, luma.contiguous()).clamp(1, last)
        low, high = places[above - 1], places[above]
        share = ((luma - low) / (high - low).clamp(min=1e-4)).clamp(0, 1)[..., None]
        mixed = self.spread[above - 1] * (1 - share) + self.spread[above] * share
        return mixed.permute(0, 3, 1, 2)


def _root_of_spectrum(noise: Tensor, side: int) -> Tensor:
    """Return ``(side, side, 3, 3)``, by which waves of white noise become such noise.

    The covariance of colours and pixels is averaged over all squares (Welch, windows of Hann), and
    tapered: so it stays a covariance, and what lies beyond ``_REACH`` is independent.
    """
    window = torch.hann_window(_SQUARE, periodic=False)
    window = window[:, None] * window
    double = (2 * _SQUARE, 2 * _SQUARE)
    waves = torch.fft.fft2(noise * window, s=double)
    power = torch.einsum("kahw,kbhw->abhw", waves, waves.conj()) / len(noise)
    covariance = torch.fft.ifft2(power).real
    weight = torch.fft.ifft2(torch.fft.fft2(window, s=double).abs() ** 2).real.clamp(min=1e-6)
    wanted = torch.zeros(3, 3, side, side)
    for down in range(-_REACH, _REACH + 1):
        for along in range(-_REACH, _REACH + 1):
            taper = (1 - abs(down) / (_REACH + 1)) * (1 - abs(along) / (_REACH + 1))
            place = down % double[0], along % double[1]
            found = covariance[:, :, *place] / weight[place]
            wanted[:, :, down % side, along % side] = taper * found
    spectrum = torch.fft.fft2(wanted).permute(2, 3, 0, 1)
    spectrum = (spectrum + spectrum.conj().transpose(-1, -2)) / 2
    values, vectors = torch.linalg.eigh(spectrum)
    root: Tensor = vectors * values.clamp(min=0).sqrt()[..., None, :]
    return root


class _Gain(nn.Module):
    """A factor for each channel that a convolution gives."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.ones(channels))
        self.share = 1.0

    def forward(self, weight: Tensor) -> Tensor:
        factor: Tensor = 1 + self.share * (self.values - 1)
        return weight * factor.view(-1, 1, 1, 1)


def adapt(
    network: InvDN,
    shoot: Shoot,
    *,
    seconds: float = 300.0,
    steps: int | None = None,
    seed: int = 0,
    progress: Progress = lambda share, what: None,
) -> Adaptation:
    """Adapt a network to photographs of one camera and sensitivity.

    Args:
        network: to begin with; it stays as it is.
        shoot: the photographs.
        seconds: wall time that training may take; measuring comes on top.
        steps: train so many, however long they take.
        seed: of noise and crops.
        progress: called now and then.

    Raises:
        InputError: the network has not three colours, the time is no time, or too little of the
            photographs is flat.
    """
    if network.architecture.channels != 3 or not seconds > 0:
        raise InputError("an adaptation needs a network for colours, and some seconds")
    original = build_network(parameters_of(network))
    adapted = build_network(parameters_of(network))
    progress(0.0, "denoising the photographs")
    results = _denoise(original, shoot.crops)
    kept = _kept_apart(shoot)
    taught, tested = results[~kept], results[kept]
    noise = CameraNoise(shoot.crops, results)
    gains = _add_gains(adapted)
    generator = torch.Generator().manual_seed(seed)
    pairs = _pairs(tested, noise, torch.Generator().manual_seed(seed + 1))
    before = _psnr(original, pairs)
    start = time.monotonic()

    def elapsed(done: int) -> float:
        return done / steps if steps else (time.monotonic() - start) / seconds

    trained = _train(adapted, gains, taught, noise, generator, elapsed, seed, progress)
    progress(1.0, "measuring on what was kept apart")
    gain, share = 0.0, 0.0
    for tried in _SHARES:
        for part in gains:
            part.share = tried
        found = _psnr(adapted, pairs) - before
        if found > max(gain, _LEAST_GAIN):
            gain, share = found, tried
    for part in gains:
        part.share = share
    for module in adapted.modules():
        if isinstance(module, nn.Conv2d):
            nn.utils.parametrize.remove_parametrizations(module, "weight")
    spread = 255 * noise.spread.square().mean(1).sqrt()
    return Adaptation(adapted.eval(), gain, share, tuple(spread.tolist()), trained)


def _train(
    network: InvDN,
    gains: list[_Gain],
    results: Tensor,
    noise: CameraNoise,
    generator: torch.Generator,
    elapsed: Callable[[int], float],
    seed: int,
    progress: Progress,
) -> int:
    """Train the gains until all of the time, or of the steps, is over; return their number."""
    sources = (results, functional.avg_pool2d(results, 2))
    values = [gain.values for gain in gains]
    optimiser = torch.optim.Adam(values, lr=_RATE, betas=(0.9, 0.99))
    random, steps = np.random.default_rng(seed), 0
    while (share := elapsed(steps)) < 1 or not steps:
        progress(share, "training")
        rate = _RATE * min(1, (steps + 1) / _WARM_UP) * min(1, 2 * (1 - share) + 0.02)
        for group in optimiser.param_groups:
            group["lr"] = rate
        clean = torch.stack([_crop(sources[random.integers(2)], random) for _ in range(BATCH)])
        difference = _decoded(network, noise.add(clean, generator)) - clean
        loss = (difference.square() + 1e-4).sqrt().mean()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(values, 1.0)
        optimiser.step()
        steps += 1
    return steps


def _add_gains(network: InvDN) -> list[_Gain]:
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    gains = []
    for module in list(network.modules()):
        if isinstance(module, nn.Conv2d):
            gain = _Gain(module.out_channels)
            nn.utils.parametrize.register_parametrization(module, "weight", gain)
            gains.append(gain)
    return gains


def _kept_apart(shoot: Shoot) -> Tensor:
    """Tell which crops are for measuring: of whole photographs, where there are several."""
    count = max(shoot.photograph) + 1
    if count == 1:
        return torch.arange(len(shoot.crops)) % round(1 / _HELD_OUT) == 0
    first = count - max(1, int(_HELD_OUT * count))
    return torch.tensor([number >= first for number in shoot.photograph])


def _pairs(
    results: Tensor, noise: CameraNoise, generator: torch.Generator
) -> list[tuple[Tensor, Tensor]]:
    """Make noisy and clean crops of results at both sizes."""
    pairs = []
    for source in (results, functional.avg_pool2d(results, 2)):
        clean = source[:, :, :CROP, :CROP]
        pairs.append((noise.add(clean, generator), clean))
    return pairs


@torch.inference_mode()
def _psnr(network: InvDN, pairs: list[tuple[Tensor, Tensor]]) -> float:
    """Return the mean PSNR over all crops, in dB."""
    scores = []
    for noisy, clean in pairs:
        errors = (_denoise(network, noisy) - clean).square().flatten(1).mean(1)
        scores.append(-10 * torch.log10(errors.clamp(min=1e-9)))
    return float(torch.cat(scores).mean())


@torch.inference_mode()
def _denoise(network: InvDN, images: Tensor) -> Tensor:
    module = DenoisingModule(network)
    return torch.cat([module(image[None]).clamp(0, 1) for image in images])


def _decoded(network: InvDN, noisy: Tensor) -> Tensor:
    low, latent = network.encode(noisy)
    result: Tensor = network.decode(low, torch.zeros_like(latent))
    return result


def _crop(images: Tensor, random: np.random.Generator) -> Tensor:
    image = images[random.integers(len(images))]
    top, left = (int(random.integers(size - CROP + 1)) for size in image.shape[1:])
    image = image[:, top : top + CROP, left : left + CROP]
    for axis in (1, 2):
        if random.random() < 0.5:
            image = image.flip(axis)
    return image


def _squares(images: Tensor) -> Tensor:
    """Cut ``(N, C, H, W)`` into ``(n, C, 32, 32)``."""
    parts = images.unfold(2, _SQUARE, _SQUARE).unfold(3, _SQUARE, _SQUARE)
    return parts.permute(0, 2, 3, 1, 4, 5).reshape(-1, images.shape[1], _SQUARE, _SQUARE)


def _luma(images: Tensor) -> Tensor:
    return torch.einsum("nchw,c->nhw", images, torch.from_numpy(LUMA))
