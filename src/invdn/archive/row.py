"""One photograph of an archive, as a line of a manifest tells it."""

import json
from dataclasses import dataclass
from typing import Any

from ..errors import DataError

_ENCODER = json.JSONEncoder(separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Row:
    """One photograph.

    Attributes:
        key: its name below the source.
        size: bytes; None: not known.
        etag: which contents are meant; None: whatever is there.
        beside: names of files that may belong to it, such as sidecars.
    """

    key: str
    size: int | None = None
    etag: str | None = None
    beside: tuple[str, ...] = ()

    def as_json(self) -> str:
        """One line of a manifest.

        Example:
            >>> Row("2024/a.jpg", 5).as_json()
            '{"key":"2024/a.jpg","size":5}'
        """
        facts = {"key": self.key, "size": self.size, "etag": self.etag, "beside": self.beside}
        present = {name: value for name, value in facts.items() if value not in (None, ())}
        return _ENCODER.encode(present)

    @classmethod
    def from_json(cls, line: str | bytes) -> "Row":
        """Read one line of a manifest.

        Raises:
            DataError: it is none.

        Example:
            >>> Row.from_json('{"key": "2024/a.jpg"}').key
            '2024/a.jpg'
        """
        try:
            return cls.from_facts(json.loads(line))
        except ValueError as error:
            raise DataError(f"{line[:80]!r} is no row of a manifest") from error

    @classmethod
    def from_facts(cls, found: Any) -> "Row":
        """Take a row from what a file says of it.

        Raises:
            DataError: it is none.
        """
        match found:
            case {"key": str(key), **others}:
                size, etag, beside = map(others.get, ("size", "etag", "beside"))
                if (
                    isinstance(size, int | None)
                    and isinstance(etag, str | None)
                    and isinstance(beside, list | None)
                ):
                    return cls(key, size, etag, tuple(beside or ()))
        raise DataError(f"{str(found)[:80]!r} is no row of a manifest")
