"""The wish to end a batch, made in one thread and met in others."""

import threading


class StopEvent:
    """Is requested once, and then stays so.

    Attributes:
        reason: why, in words; empty as long as nobody asked.

    Example:
        >>> stop = StopEvent()
        >>> stop.request("the disk is full")
        >>> stop.requested, stop.reason
        (True, 'the disk is full')
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self.reason = ""

    @property
    def requested(self) -> bool:
        """Whether anybody asked."""
        return self._event.is_set()

    def request(self, reason: str) -> None:
        """Ask for the end; the first reason stays."""
        self.reason = self.reason or reason
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Wait for the request, but no longer than this; whether it came."""
        return self._event.wait(seconds)
