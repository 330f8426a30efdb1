"""Videos: frames through the network one by one, everything around them kept."""

from .encoders import CODECS, Encoding
from .files import VideoResult, default_target, denoise_video

__all__ = ["CODECS", "Encoding", "VideoResult", "default_target", "denoise_video"]
