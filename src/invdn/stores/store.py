"""What every store can do."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

#: Waits so many seconds; True: the wait was ended, since everything is to stop.
Wait = Callable[[float], bool]


@dataclass(frozen=True)
class Entry:
    """One object.

    Attributes:
        key: its name below the store's URL, with ``/`` between folders.
        size: bytes; None where the store does not say.
        etag: changes with the contents; None where the store has none.
        modified: when it was written, by the clock of the store.
        metadata: what its writer noted with it; None where the store cannot hold such notes, or
            was not asked for them.
        mode: permissions of a file; None elsewhere.
    """

    key: str
    size: int | None = None
    etag: str | None = None
    modified: datetime | None = None
    metadata: Mapping[str, str] | None = None
    mode: int | None = None


@dataclass(frozen=True)
class Writing:
    """The arguments of :meth:`Store.create` and :meth:`Store.replace`, as one.

    Attributes:
        replaces: nothing (``""``), whatever is there (None), or the object of an etag.
    """

    key: str
    content: bytes
    metadata: Mapping[str, str] | None
    content_type: str | None
    mode: int | None
    replaces: str | None


class Store(ABC):
    """Objects below a URL. Any thread may use it.

    Every method may raise :class:`~invdn.errors.AccessError`,
    :class:`~invdn.errors.BusyStoreError` (after it was tried again for a while) and
    :class:`~invdn.errors.StoreError`.

    Attributes:
        url: where its keys begin, without a slash at the end.
    """

    url: str

    @abstractmethod
    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """All objects in a folder and those below it, one after the other.

        The names of one folder come in their order, with nothing between those of equal stem. The
        entries hold no metadata.

        Args:
            prefix: a folder; empty: all.
        """

    @abstractmethod
    def head(self, key: str) -> Entry | None:
        """What is known of an object; None: there is none."""
        ...

    @abstractmethod
    def fetch(self, key: str, etag: str | None = None) -> tuple[bytes, Entry]:
        """The contents of an object, whole and of one moment.

        Args:
            key: its name.
            etag: the object that is meant.

        Raises:
            MissingObjectError: there is none.
            ChangedObjectError: it has another etag, or changed while it was read.
        """

    @abstractmethod
    def stream(self, key: str) -> Iterator[bytes]:
        """The contents of an object, piece by piece.

        Raises:
            MissingObjectError: there is none.
            ChangedObjectError: it changed meanwhile.
        """

    @abstractmethod
    def start(self, key: str, size: int) -> bytes:
        """The first bytes of an object, or all where it has fewer.

        Raises:
            MissingObjectError: there is none.
        """

    def create(
        self,
        key: str,
        content: bytes,
        metadata: Mapping[str, str] | None = None,
        *,
        content_type: str | None = None,
        mode: int | None = None,
    ) -> Entry:
        """Write a new object, whole or not at all.

        Args:
            key: its name.
            content: its contents.
            metadata: notes; names of lower-case letters, values of ASCII.
            content_type: for browsers.
            mode: permissions that a file may have at most.

        Raises:
            ObjectExistsError: there is one; it stays as it is.
            FullStoreError: there is no room.
        """
        return self._write(Writing(key, content, metadata, content_type, mode, ""))

    def replace(
        self,
        key: str,
        content: bytes,
        metadata: Mapping[str, str] | None = None,
        *,
        etag: str | None = None,
        content_type: str | None = None,
        mode: int | None = None,
    ) -> Entry:
        """Write an object in the place of one, if there is one; whole or not at all.

        Args:
            key: its name.
            content: its contents.
            metadata: as of :meth:`create`.
            etag: the object that may be replaced; None: any.
            content_type: as of :meth:`create`.
            mode: as of :meth:`create`.

        Raises:
            ChangedObjectError: another is there.
            FullStoreError: there is no room.
        """
        return self._write(Writing(key, content, metadata, content_type, mode, etag or None))

    @abstractmethod
    def _write(self, new: Writing) -> Entry:
        """Write an object as :meth:`create` and :meth:`replace` say."""
