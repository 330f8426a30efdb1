"""JPEG XL with colour profiles, by libjxl's own C interface: imagecodecs has no place for them.

The library is the one that comes in ``imagecodecs``' wheels for Linux and macOS. Numbers and
structures are those of libjxl's headers, versions 0.9 to 0.11 (``decode.h``, ``encode.h``,
``codestream_header.h``).
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import POINTER, c_char_p, c_float, c_int, c_size_t, c_uint32, c_void_p
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_OLDEST = 9000  # before 0.9 the calls for profiles were others
_SUCCESS, _NEED_MORE_OUTPUT, _NEED_IMAGE_OUT_BUFFER = 0, 2, 5
_COLOR_ENCODING, _FULL_IMAGE = 0x100, 0x1000
_ORIGINAL, _DECODED = 0, 1  # profiles: the file's, and that of what is decoded by default
_TYPES = {np.dtype(np.float32): 0, np.dtype(np.uint8): 2, np.dtype(np.uint16): 3}


class _PixelFormat(ctypes.Structure):
    _fields_ = (
        ("num_channels", c_uint32),
        ("data_type", c_int),
        ("endianness", c_int),
        ("align", c_size_t),
    )


class _BasicInfo(ctypes.Structure):
    _fields_ = (
        *((name, c_uint32) for name in ("have_container", "xsize", "ysize")),
        *((name, c_uint32) for name in ("bits_per_sample", "exponent_bits_per_sample")),
        *((name, c_float) for name in ("intensity_target", "min_nits")),
        ("relative_to_max_display", c_int),
        ("linear_below", c_float),
        *((name, c_int) for name in ("uses_original_profile", "have_preview", "have_animation")),
        ("orientation", c_int),
        *((name, c_uint32) for name in ("num_color_channels", "num_extra_channels")),
        *((name, c_uint32) for name in ("alpha_bits", "alpha_exponent_bits")),
        ("alpha_premultiplied", c_int),
        ("rest", c_uint32 * 64),  # previews, animations, and what is to come
    )


class _Cms(ctypes.Structure):
    _fields_ = tuple((f"entry_{number}", c_void_p) for number in range(8))


class JxlError(ValueError):
    """libjxl cannot decode or encode it."""


def is_available() -> bool:
    """Return whether there is a library to be called."""
    return _library() is not None


def decode(
    data: bytes, size: tuple[int, int], channels: int, kind: Any
) -> tuple[NDArray[Any], bytes]:
    """Return the pixels of a file and the profile that they are in: the file's own, if it has one.

    Args:
        data: the file.
        size: height and width of the upright picture.
        channels: colours, and alpha where there is one.
        kind: ``np.uint8``, ``np.uint16`` or ``np.float32``.

    Returns:
        ``(H, W, channels)``, in the whole range of the type, and an ICC profile.

    Raises:
        JxlError: it is damaged.
    """
    stored = np.empty((*size, channels), kind)
    form = _PixelFormat(channels, _TYPES[stored.dtype], 0, 0)
    icc = b""
    with _object("Decoder") as (library, decoder):
        _check(library.JxlDecoderSubscribeEvents(decoder, _COLOR_ENCODING | _FULL_IMAGE))
        _check(library.JxlDecoderSetCms(decoder, library.JxlGetDefaultCms().contents))
        _check(library.JxlDecoderSetInput(decoder, data, len(data)))
        library.JxlDecoderCloseInput(decoder)
        while (event := library.JxlDecoderProcessInput(decoder)) != _FULL_IMAGE:
            if event == _COLOR_ENCODING:
                icc = _profile(library, decoder, _ORIGINAL)
                if icc != _profile(library, decoder, _DECODED):
                    _check(library.JxlDecoderSetOutputColorProfile(decoder, None, icc, len(icc)))
            elif event == _NEED_IMAGE_OUT_BUFFER:
                needed = c_size_t()
                _check(library.JxlDecoderImageOutBufferSize(decoder, form, needed))
                if needed.value != stored.nbytes:
                    raise JxlError
                place = stored.ctypes.data
                _check(library.JxlDecoderSetImageOutBuffer(decoder, form, place, stored.nbytes))
            else:
                raise JxlError
    return stored, icc


def encode(stored: NDArray[Any], icc: bytes, distance: float | None) -> bytes:
    """Return a file with a profile, in a container.

    Args:
        stored: ``(H, W)`` or ``(H, W, channels)``, of one to four channels, the second or fourth
            of which is alpha; uint8, uint16 or float32.
        icc: in which the colours are.
        distance: the loss, in libjxl's unit; ``None``: none.

    Raises:
        JxlError: libjxl refuses, as it does a damaged profile.
    """
    stored = np.ascontiguousarray(stored)
    channels = 1 if stored.ndim == 2 else stored.shape[2]
    form = _PixelFormat(channels, _TYPES[stored.dtype], 0, 0)
    bits, exponent = 8 * stored.itemsize, 8 if stored.dtype == np.float32 else 0
    with _object("Encoder") as (library, encoder):
        info = _BasicInfo()
        library.JxlEncoderInitBasicInfo(info)
        info.ysize, info.xsize = stored.shape[:2]
        info.bits_per_sample, info.exponent_bits_per_sample = bits, exponent
        info.num_color_channels = 1 if channels < 3 else 3
        info.uses_original_profile = distance is None
        if channels in (2, 4):
            info.num_extra_channels = 1
            info.alpha_bits, info.alpha_exponent_bits = bits, exponent
        _check(library.JxlEncoderUseContainer(encoder, 1))
        _check(library.JxlEncoderSetBasicInfo(encoder, info))
        _check(library.JxlEncoderSetICCProfile(encoder, icc, len(icc)))
        frame = library.JxlEncoderFrameSettingsCreate(encoder, None)
        if distance is None:
            _check(library.JxlEncoderSetFrameLossless(frame, 1))
        else:
            _check(library.JxlEncoderSetFrameDistance(frame, distance))
        place = stored.ctypes.data
        _check(library.JxlEncoderAddImageFrame(frame, form, place, stored.nbytes))
        library.JxlEncoderCloseInput(encoder)
        return _drained(library, encoder)


def _drained(library: Any, encoder: int) -> bytes:
    """Return all that an encoder has to give."""
    parts = []
    piece = ctypes.create_string_buffer(1 << 20)
    status = _NEED_MORE_OUTPUT
    while status == _NEED_MORE_OUTPUT:
        place, left = c_void_p(ctypes.addressof(piece)), c_size_t(len(piece))
        status = library.JxlEncoderProcessOutput(encoder, place, left)
        parts.append(piece.raw[: len(piece) - left.value])
    _check(status)
    return b"".join(parts)


def _profile(library: Any, decoder: int, which: int) -> bytes:
    size = c_size_t()
    _check(library.JxlDecoderGetICCProfileSize(decoder, which, size))
    icc = ctypes.create_string_buffer(size.value)
    _check(library.JxlDecoderGetColorAsICCProfile(decoder, which, icc, size.value))
    return icc.raw


def _check(status: int) -> None:
    if status != _SUCCESS:
        raise JxlError


@contextmanager
def _object(kind: str) -> Iterator[tuple[Any, int]]:
    """The library, and one of its objects as long as the block runs."""
    library = _library()
    if library is None:
        raise JxlError
    made = getattr(library, f"Jxl{kind}Create")(None)
    try:
        yield library, made
    finally:
        getattr(library, f"Jxl{kind}Destroy")(made)


@cache
def _library() -> Any:
    """Return the loaded library, ``None`` where there is none of a version that is known."""
    try:
        module = import_module("imagecodecs._jpegxl")  # late: an extra; loads what libjxl needs
    except ImportError:
        return None
    folder = Path(str(module.__file__)).parent
    beside = (folder.parent / "imagecodecs.libs", folder / ".dylibs")
    found = [path for place in beside for path in place.glob("libjxl[-.]*")]
    if not found:
        return None
    library = ctypes.CDLL(str(found[0]))
    if library.JxlDecoderVersion() < _OLDEST:
        return None
    return _declared(library)


def _declared(library: Any) -> Any:
    """Tell ctypes what the functions take and return."""
    form = POINTER(_PixelFormat)
    of_encoder = {
        "InitBasicInfo": (POINTER(_BasicInfo),),
        "UseContainer": (c_void_p, c_int),
        "SetBasicInfo": (c_void_p, POINTER(_BasicInfo)),
        "SetICCProfile": (c_void_p, c_char_p, c_size_t),
        "FrameSettingsCreate": (c_void_p, c_void_p),
        "SetFrameLossless": (c_void_p, c_int),
        "SetFrameDistance": (c_void_p, c_float),
        "AddImageFrame": (c_void_p, form, c_void_p, c_size_t),
        "CloseInput": (c_void_p,),
        "ProcessOutput": (c_void_p, POINTER(c_void_p), POINTER(c_size_t)),
    }
    of_decoder = {
        "SubscribeEvents": (c_void_p, c_int),
        "SetCms": (c_void_p, _Cms),
        "SetInput": (c_void_p, c_char_p, c_size_t),
        "CloseInput": (c_void_p,),
        "ProcessInput": (c_void_p,),
        "GetICCProfileSize": (c_void_p, c_int, POINTER(c_size_t)),
        "GetColorAsICCProfile": (c_void_p, c_int, c_char_p, c_size_t),
        "SetOutputColorProfile": (c_void_p, c_void_p, c_char_p, c_size_t),
        "ImageOutBufferSize": (c_void_p, form, POINTER(c_size_t)),
        "SetImageOutBuffer": (c_void_p, form, c_void_p, c_size_t),
    }
    for kind, functions in (("Encoder", of_encoder), ("Decoder", of_decoder)):
        both = {"Create": (c_void_p,), "Destroy": (c_void_p,)}
        for name, arguments in (functions | both).items():
            getattr(library, f"Jxl{kind}{name}").argtypes = arguments
        getattr(library, f"Jxl{kind}Create").restype = c_void_p
    library.JxlEncoderFrameSettingsCreate.restype = c_void_p
    library.JxlGetDefaultCms.restype = POINTER(_Cms)
    return library
