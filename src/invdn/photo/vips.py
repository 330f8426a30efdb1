"""The door to libvips: pyvips, made to bear messages that are not UTF-8.

libvips quotes files in its warnings, and a PNG may name its profile in Latin-1. pyvips (3.2) then
fails inside a callback from C, which prints a traceback past everybody. Import ``pyvips`` from
here.
"""

from typing import Any

import pyvips
import pyvips.error

__all__ = ["pyvips"]


def _text(message: Any) -> str:
    """A string from libvips, whatever its bytes."""
    if message == pyvips.ffi.NULL:
        return "NULL"
    raw: bytes = pyvips.ffi.string(message)
    return raw.decode("utf-8", "replace")


pyvips._to_string = pyvips.error._to_string = _text
