"""The door to FFmpeg's libraries: PyAV, an extra that photographs do not need."""

from ..errors import MissingDependencyError

try:
    import av
    import av.error
except ImportError as error:
    raise MissingDependencyError("videos need PyAV: pip install 'invdn[video]'") from error

__all__ = ["av"]
