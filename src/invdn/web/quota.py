"""How many bytes lie on the disk, and whose they are."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from .database import check_share
from .state import StateFolder, new_identifier

_RETRY_SECONDS = 30.0


class Quota:
    """Counts bytes of photographs, results and scratch files, and keeps some for every client.

    Args:
        limit: bytes that may lie in the state folder.
        kept: says how many bytes of photographs and results each client has.

    Example:
        >>> quota = Quota(100, lambda: {"a": 20})
        >>> quota.take("b", 30)
        >>> quota.used, quota.used_by("b")
        (50, 30)
    """

    def __init__(self, limit: int, kept: Callable[[], Mapping[str, int]]) -> None:
        self.limit = limit
        self._kept = kept
        self._known: Mapping[str, int] | None = None
        self._taken: Counter[str] = Counter()

    def refresh(self) -> None:
        """Ask anew what is kept, when next somebody wants to know."""
        self._known = None

    def _by_client(self) -> Mapping[str, int]:
        if self._known is None:
            self._known = self._kept()
        return self._known

    @property
    def used(self) -> int:
        """Bytes in all."""
        return sum(self._by_client().values()) + self._taken.total()

    def used_by(self, client: str) -> int:
        """Return bytes of one client."""
        return self._by_client().get(client, 0) + self._taken[client]

    def take(self, client: str, size: int) -> None:
        """Count bytes of scratch files that are about to be written.

        Raises:
            ProblemError: there is no room, or not for this client.
        """
        check_share(
            self.used_by(client),
            self.used,
            self.limit,
            "the service holds as many photographs as it may; delete some, or try again later",
            "the service holds as many photographs of yours as it may; delete some, or try again "
            "later",
            "unavailable",
            _RETRY_SECONDS,
            size,
        )
        self._taken[client] += size

    def give(self, client: str, size: int) -> None:
        """Count bytes of scratch files that are gone, or kept for good now."""
        self._taken[client] -= size
        if not self._taken[client]:
            del self._taken[client]


class Scratch:
    """A folder for files that are needed for a while; its bytes are counted.

    Args:
        state: where it lies.
        quota: what counts.
        client: for whom.
    """

    def __init__(self, state: StateFolder, quota: Quota, client: str) -> None:
        self.id = new_identifier()
        self.client = client
        self.folder = state.scratch / self.id
        self._quota = quota
        self._size = 0
        self.folder.mkdir(mode=0o700)

    def grow(self, size: int) -> None:
        """Count bytes that are about to be written.

        Raises:
            ProblemError: there is no room.
        """
        self._quota.take(self.client, size)
        self._size += size

    def count(self, file: Path) -> None:
        """Count a file that is there now.

        Raises:
            ProblemError: there is no room for it.
        """
        self.grow(file.stat().st_size)

    def remove(self) -> None:
        """Remove the folder, or what has not been moved out of it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self._quota.give(self.client, self._size)
        self._size = 0


class Leases:
    """What is in use just now, so that nothing is removed from under somebody's hands.

    Example:
        >>> leases, gone = Leases(), []
        >>> with leases.hold("a"):
        ...     leases.after("a", lambda: gone.append("a"))
        ...     "a" in leases, gone
        (True, [])
        >>> gone
        ['a']
    """

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()
        self._later: dict[str, Callable[[], object]] = {}

    def __contains__(self, identifier: object) -> bool:
        return identifier in self._held

    @contextmanager
    def hold(self, *identifiers: str) -> Iterator[None]:
        """Keep photographs or jobs for the time of the block."""
        self._held.update(identifiers)
        try:
            yield
        finally:
            self._held.subtract(identifiers)
            for identifier in identifiers:
                if not self._held[identifier]:
                    del self._held[identifier]
                    self._later.pop(identifier, lambda: None)()

    def after(self, identifier: str, act: Callable[[], object]) -> None:
        """Do something as soon as nobody holds a photograph or job, maybe at once."""
        if identifier in self._held:
            self._later[identifier] = act
        else:
            act()
