"""The local page and the REST service; everything heavy is imported by :mod:`.server` only."""

from .settings import Settings

__all__ = ["Settings"]
