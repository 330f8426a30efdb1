"""The name of a result in its store: the folders of the source, and a name as a batch gives it."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..batch import NameTemplate
from ..photo.read import output_suffix


@dataclass(frozen=True)
class Naming:
    """How results are named.

    Attributes:
        template: as of ``--name``.
        wanted: the format asked for; None: that of the photograph.

    Example:
        >>> Naming("{stem}_denoised{suffix}").target("2024/a.HEIC")
        '2024/a_denoised.avif'
    """

    template: str
    wanted: str | None = None

    def target(self, key: str, start: bytes = b"") -> str:
        """Return the key of a result.

        Args:
            key: of the photograph.
            start: the contents of the photograph, or nothing: then its ending is believed.
        """
        path = Path(PurePosixPath(key).name)
        suffix = output_suffix(path, self.wanted, io.BytesIO(start))
        folder = key.rpartition("/")[0]
        parent = Path(folder.rpartition("/")[2]) / path
        name = NameTemplate(self.template).name(parent, suffix)
        return f"{folder}/{name}".lstrip("/")

    def made(self, key: str) -> bool:
        """Return whether a key looks like the result of a photograph."""
        return NameTemplate(self.template).made(key.rpartition("/")[2])


def digest_of(text: str) -> str:
    """Return 32 digits that stand for a text.

    Example:
        >>> digest_of("a.jpg")
        '509b0d4641a7c3ba088ffa28559d1f57'
    """
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]
