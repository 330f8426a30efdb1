"""Whose turn it is: one at a time, and every client in turn, however much each of them asks for."""

import asyncio
from collections import OrderedDict, deque

from .errors import ProblemError


class QueueSlot:
    """A place in the queue: wait for its ``turn``, then give it back by :meth:`Turns.leave`."""

    def __init__(self, client: str) -> None:
        self.client = client
        self.turn = asyncio.Event()


class FairQueue:
    """A queue in which clients take turns, each with its oldest ticket.

    Args:
        most: tickets that may wait at the same time.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: OrderedDict[str, deque[QueueSlot]] = OrderedDict()
        self._active: QueueSlot | None = None

    def __len__(self) -> int:
        """How many wait."""
        return sum(map(len, self._waiting.values()))

    @property
    def busy(self) -> bool:
        """Whether somebody has the turn."""
        return self._active is not None

    def check(self, retry_after: float) -> None:
        """Raise if nobody more may wait.

        Raises:
            ProblemError: the queue is full.
        """
        if len(self) >= self._most:
            raise ProblemError(
                "queue-full",
                f"{len(self)} photographs are waiting already; try again later",
                retry_after=retry_after,
            )

    def enter(self, client: str, retry_after: float = 1) -> QueueSlot:
        """Take a place.

        Raises:
            ProblemError: the queue is full.
        """
        self.check(retry_after)
        ticket = QueueSlot(client)
        self._waiting.setdefault(client, deque()).append(ticket)
        self._advance()
        return ticket

    def leave(self, ticket: QueueSlot) -> None:
        """Give the place or the turn back."""
        if ticket is self._active:
            self._active = None
            self._advance()
            return
        line = self._waiting.get(ticket.client)
        if line and ticket in line:
            line.remove(ticket)
            if not line:
                del self._waiting[ticket.client]

    def position(self, ticket: QueueSlot) -> int | None:
        """How many come before it; nothing once it had its turn."""
        lines = [list(line) for line in self._waiting.values()]
        rows = range(max(map(len, lines), default=0))
        order = [line[row] for row in rows for line in lines if row < len(line)]
        return order.index(ticket) if ticket in order else None

    def _advance(self) -> None:
        if self._active is None and self._waiting:
            client, line = self._waiting.popitem(last=False)
            self._active = line.popleft()
            if line:
                self._waiting[client] = line
            self._active.turn.set()
