"""Whether a photograph is of the kind that the shipped model was trained on."""

from ..image.noise_estimation import NoiseEstimate

# Steps of 8 bits. Clean photographs are estimated at 1.0 to 2.9 (10 to 90 %), real noisy ones at
# 3.7 and more; from: docs/control.md, benchmarks/noise_level.py.
ALMOST_CLEAN = 2.5
# The strongest that training showed often; from: docs/noise.md (95 % of simulated phones: 40).
STRONGEST = 45.0
# Correlation of neighbours. Simulated and real cameras: 0.2 and more; white noise: 0 +- 0.04.
LEAST_CORRELATION = 0.13


def training_range_warning(noise: NoiseEstimate | None) -> str | None:
    """What the user should know before trusting the result, in one line; None if nothing.

    Example:
        >>> even = ((1.0,) * 64,) * 3
        >>> white = NoiseEstimate(25.0, (0.5,), (0.1,), (0.1,), 0.0, 1.0, even)
        >>> training_range_warning(white).split(":")[0]
        'its noise is unlike that of a camera'
        >>> usual = NoiseEstimate(9.0, (0.5,), (0.03,), (0.04,), 0.3, 0.5, even)
        >>> training_range_warning(usual) is None
        True
    """
    if noise is None:
        return None
    if noise.level < ALMOST_CLEAN:
        return (
            f"it is almost clean (noise {noise.level:.1f} of 255): denoising takes fine texture "
            "rather than noise; strength auto or a low strength keeps it"
        )
    if noise.correlation < LEAST_CORRELATION:
        return (
            "its noise is unlike that of a camera: neighbouring pixels are independent "
            f"(correlation {noise.correlation:.2f}), as in synthetic noise or a picture made "
            "smaller; the model has seen little of it"
        )
    if noise.level > STRONGEST:
        return (
            f"its noise ({noise.level:.0f} of 255) is stronger than the model was trained on; "
            "expect remains of it"
        )
    return None
