"""How pictures are compressed: the encoders, what each can hold, and which one is taken."""

from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from ..errors import InputError, VideoError
from .pyav import av, own_priority

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext

#: Containers that are written, by the ending of the file.
CONTAINERS = MappingProxyType(
    {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
)


@dataclass(frozen=True)
class Codec:
    """A way to compress pictures.

    Attributes:
        encoder: FFmpeg's name of the encoder.
        containers: that may hold its pictures and that players expect to.
        crf: quality unless the user says otherwise, on the encoder's own scale: smaller is better
            and larger; ``None`` where nothing is lost.
        worst: the largest crf.
        options: of the encoder.
        tells_shape: whether the pictures' own data say how wide a pixel is.
        tag: name of the codec in MP4 and MOV where FFmpeg's own does not play everywhere.
    """

    encoder: str
    containers: frozenset[str]
    crf: int | None
    worst: int = 0
    options: dict[str, str] = field(default_factory=dict)
    tells_shape: bool = False
    tag: str | None = None


#: In the order in which "auto" tries them: first those whose encoders are free of the GPL and that
#: are free of royalties; ffv1 only on request, since its files are large.
CODECS = MappingProxyType(
    {
        "av1": Codec(
            "libsvtav1",
            frozenset({"mp4", "matroska", "webm"}),
            crf=20,
            worst=63,
            options={"preset": "6"},
        ),
        "vp9": Codec(
            "libvpx-vp9",
            frozenset({"mp4", "matroska", "webm"}),
            crf=20,
            worst=63,
            options={"b": "0", "deadline": "good", "cpu-used": "3", "row-mt": "1"},
        ),
        "h264": Codec(
            "libx264", frozenset({"mp4", "mov", "matroska"}), crf=16, worst=51, tells_shape=True
        ),
        "hevc": Codec(
            "libx265",
            frozenset({"mp4", "mov", "matroska"}),
            crf=18,
            worst=51,
            options={"x265-params": "log-level=none"},
            tells_shape=True,
            tag="hvc1",
        ),
        "ffv1": Codec(
            "ffv1",
            frozenset({"matroska", "mp4"}),
            crf=None,
            options={"level": "3", "slicecrc": "1"},
        ),
    }
)
_AUTOMATIC = ("av1", "vp9", "h264", "hevc")

_OTHERWISE = "choose the ending .mp4 or .mkv, or the codec ffv1, which loses nothing"

# The same samples under another name, where an encoder knows only that.
_EQUIVALENT = {"gbrp": "bgr0"}


@dataclass(frozen=True)
class Encoding:
    """What a user may choose about the compression.

    Attributes:
        codec: a key of :data:`CODECS`, or ``"auto"``: the first that can hold the video.
        crf: quality on the codec's own scale, smaller is better; ``None``: its default here,
            at which the compression is hard to see.

    Raises:
        InputError: there is no such codec or quality.

    Example:
        >>> Encoding("h264", crf=60)
        Traceback (most recent call last):
            ...
        invdn.errors.InputError: crf of h264 must be from 0 to 51, not 60
    """

    codec: str = "auto"
    crf: int | None = None

    def __post_init__(self) -> None:
        if self.codec != "auto" and self.codec not in CODECS:
            raise InputError(f"codec must be auto, {', '.join(CODECS)}, not {self.codec}")
        if self.crf is None:
            return
        if self.codec == "auto":
            raise InputError("crf has another scale in every codec: name the codec too")
        codec = CODECS[self.codec]
        if codec.crf is None:
            raise InputError(f"{self.codec} loses nothing and has no crf")
        if not 0 <= self.crf <= codec.worst:
            raise InputError(f"crf of {self.codec} must be from 0 to {codec.worst}, not {self.crf}")


@dataclass(frozen=True)
class EncoderConfig:
    """The encoder that is taken for a video.

    Attributes:
        name: key of :data:`CODECS`.
        pixel_format: the encoder's name for the samples of the working format.
        options: of the encoder, with the quality.
    """

    name: str
    pixel_format: str
    options: dict[str, str]

    @property
    def codec(self) -> Codec:
        """What is known about it."""
        return CODECS[self.name]


@dataclass(frozen=True)
class FrameSpec:
    """What an encoder must be able to hold.

    Attributes:
        container: FFmpeg's name of it.
        pixel_format: working format of the frames.
        width: pixels.
        height: pixels.
        square: whether pixels are as wide as high.
    """

    container: str
    pixel_format: str
    width: int
    height: int
    square: bool


def choose(encoding: Encoding, demand: FrameSpec) -> EncoderConfig:
    """Return the encoder that holds frames of this kind exactly as they are sampled.

    Raises:
        VideoError: none that is wanted can; says why and names some that can.
    """
    if encoding.codec != "auto":
        choice, obstacle = _try(encoding.codec, encoding.crf, demand)
        if choice:
            return choice
        able = [name for name in CODECS if _try(name, None, demand)[0]]
        advice = f"choose {' or '.join(able)}" if able else _OTHERWISE
        raise VideoError(f"{encoding.codec} {obstacle}; {advice}")
    for name in _AUTOMATIC:
        choice, _ = _try(name, None, demand)
        if choice:
            return choice
    raise VideoError(
        f"no encoder that is installed holds {demand.width}x{demand.height} pixels of "
        f"{demand.pixel_format} in such a file; {_OTHERWISE}"
    )


def _try(name: str, crf: int | None, demand: FrameSpec) -> tuple[EncoderConfig | None, str]:
    """Return the choice of one codec, or what stands against it."""
    codec = CODECS[name]
    if demand.container not in codec.containers:
        return None, f"does not go into a {demand.container} file"
    # PyAV cannot write the pixels' shape into Matroska, so the pictures' own data must have it.
    if not (demand.square or codec.tells_shape or demand.container in ("mp4", "mov")):
        return None, "cannot say in such a file that the pixels are not square"
    try:
        known = {known.name for known in av.codec.Codec(codec.encoder, "w").video_formats or ()}
    except av.codec.codec.UnknownCodecError:
        return None, f"needs the encoder {codec.encoder}, which this build of FFmpeg lacks"
    names = (demand.pixel_format, _EQUIVALENT.get(demand.pixel_format))
    stored = next((candidate for candidate in names if candidate in known), None)
    if stored is None:
        return None, f"cannot hold {demand.pixel_format} frames"
    options = dict(codec.options)
    if codec.crf is not None:
        options["crf"] = str(codec.crf if crf is None else crf)
    try:
        trial = cast("VideoCodecContext", av.codec.CodecContext.create(codec.encoder, "w"))
        trial.width, trial.height, trial.pix_fmt = demand.width, demand.height, stored
        trial.time_base, trial.framerate = Fraction(1, 25), Fraction(25)
        trial.options = options
        with own_priority():
            trial.open()
    except av.error.FFmpegError:
        return None, f"cannot hold frames of {demand.width}x{demand.height} pixels"
    return EncoderConfig(name, stored, options), ""
