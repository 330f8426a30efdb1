"""A folder of long work that can be taken up again, but only with the same settings."""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..atomic import atomic_output
from ..errors import DataError, OutputError

_RECORD = "settings.json"


def claim_folder(folder: Path, settings: Mapping[str, Any]) -> None:
    """Make the folder for this work, or find in it the same work begun earlier.

    Raises:
        OutputError: the folder holds work of other settings, or other things, or cannot be made.
    """
    record = folder / _RECORD
    wanted = json.dumps(settings, indent=2, sort_keys=True, default=str) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if record.exists():
            if record.read_text(encoding="utf-8") != wanted:
                raise OutputError(
                    f"{folder} was begun with other settings (see {_RECORD} in it): choose another "
                    "folder, or remove this one"
                )
            return
        if any(folder.iterdir()):
            raise OutputError(f"{folder} holds other files: choose a new or an empty folder")
    except OSError as error:
        raise OutputError(f"{folder} cannot be used: {error.strerror}") from error
    with atomic_output(record, overwrite=False) as temporary:
        temporary.write_text(wanted, encoding="utf-8")


def fingerprint(path: Path) -> str:
    """SHA-256 of a file, so that a changed input is noticed.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            digest = sha256()
            while piece := file.read(1 << 20):
                digest.update(piece)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    return digest.hexdigest()
