"""The mathematics of the Invertible Denoising Network; torch only."""

from .coupling import AffineCoupling
from .haar import HaarDownsampling
from .invdn import InvDN
from .subnet import ResidualSubnet

__all__ = ["AffineCoupling", "HaarDownsampling", "InvDN", "ResidualSubnet"]
