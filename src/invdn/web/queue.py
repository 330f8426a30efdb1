"""Whose turn it is: so many at a time, and every client in turn, however much each asks for."""

import asyncio
from collections import Counter, OrderedDict, deque

from .errors import ProblemError


class QueueSlot:
    """A place in the queue: wait for its ``turn``, then give it back by :meth:`FairQueue.leave`."""

    def __init__(self, client: str) -> None:
        self.client = client
        self.turn = asyncio.Event()


class FairQueue:
    """A queue in which clients take turns, each with its oldest ticket.

    Where there are several places, one client has one place less at most: so a slow task of one
    client never stands before another client's.

    Args:
        most: tickets that may wait at the same time.
        places: tickets that may have the turn at the same time.
    """

    def __init__(self, most: int, places: int = 1) -> None:
        self._most = most
        self._places = places
        self._waiting: OrderedDict[str, deque[QueueSlot]] = OrderedDict()
        self._active: list[QueueSlot] = []

    def __len__(self) -> int:
        """Return how many wait."""
        return sum(map(len, self._waiting.values()))

    @property
    def busy(self) -> bool:
        """Whether somebody has the turn."""
        return bool(self._active)

    def enter(self, client: str, retry_after: float = 1) -> QueueSlot:
        """Take a place.

        Raises:
            ProblemError: the queue is full.
        """
        if len(self) >= self._most:
            raise ProblemError(
                "queue-full",
                f"{len(self)} pictures are waiting already; try again later",
                retry_after=retry_after,
            )
        ticket = QueueSlot(client)
        self._waiting.setdefault(client, deque()).append(ticket)
        self._advance()
        return ticket

    def leave(self, ticket: QueueSlot) -> None:
        """Give the place or the turn back."""
        if ticket in self._active:
            self._active.remove(ticket)
            self._advance()
            return
        line = self._waiting.get(ticket.client)
        if line and ticket in line:
            line.remove(ticket)
            if not line:
                del self._waiting[ticket.client]

    def position(self, ticket: QueueSlot) -> int | None:
        """Return how many come before it; nothing once it had its turn."""
        lines = [list(line) for line in self._waiting.values()]
        rows = range(max(map(len, lines), default=0))
        order = [line[row] for row in rows for line in lines if row < len(line)]
        return order.index(ticket) if ticket in order else None

    def _advance(self) -> None:
        share = max(1, self._places - 1)
        while len(self._active) < self._places:
            held = Counter(ticket.client for ticket in self._active)
            client = next((name for name in self._waiting if held[name] < share), None)
            if client is None:
                return
            line = self._waiting.pop(client)
            ticket = line.popleft()
            if line:
                self._waiting[client] = line
            self._active.append(ticket)
            ticket.turn.set()
