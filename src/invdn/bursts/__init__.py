"""Bursts: several photographs of one still scene, aligned and made into one."""

from .files import BurstResult, denoise_burst

__all__ = ["BurstResult", "denoise_burst"]
