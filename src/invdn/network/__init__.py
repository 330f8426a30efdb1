"""The mathematics of the Invertible Denoising Network; torch only."""

from .coupling import AffineCoupling
from .denoising import DenoisingModule
from .haar import HaarDownsampling
from .invdn import InvDN
from .subnet import ResidualSubnet

__all__ = ["AffineCoupling", "DenoisingModule", "HaarDownsampling", "InvDN", "ResidualSubnet"]
