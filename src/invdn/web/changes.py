"""Tell who waits for a job that something has changed, by this server or another one."""

import asyncio
from collections.abc import Callable

_LOOK_SECONDS = 0.1


class Changes:
    """Wakes all who wait whenever the table changes.

    Args:
        version: a number that differs whenever another server has changed the table.
    """

    def __init__(self, version: Callable[[], int]) -> None:
        self._version = version
        self._known = version()
        self._event = asyncio.Event()

    @property
    def next(self) -> asyncio.Event:
        """Set at the next change; take it before you look at the table."""
        return self._event

    def tell(self) -> None:
        """Wake all who wait."""
        self._event.set()
        self._event = asyncio.Event()

    async def watch(self, changed: Callable[[], None]) -> None:
        """Look for changes of other servers, for ever.

        Args:
            changed: called after each.
        """
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            version = self._version()
            if version != self._known:
                self._known = version
                self.tell()
                changed()
