"""A fair queue."""

import asyncio

import pytest

from invdn.web.errors import ProblemError
from invdn.web.queue import FairQueue


def test_clients_take_turns() -> None:
    async def order() -> list[str]:
        turns = FairQueue(most=10)
        tickets = {name: turns.enter(name[0]) for name in ("a1", "a2", "a3", "b1", "c1", "b2")}
        done = []
        while tickets:
            (now,) = [name for name, ticket in tickets.items() if ticket.turn.is_set()]
            turns.leave(tickets.pop(now))
            done.append(now)
        assert not turns.busy
        return done

    # one client sent three at once, and the others do not wait for all of them
    assert asyncio.run(order()) == ["a1", "a2", "b1", "c1", "a3", "b2"]


def test_positions_tell_the_order() -> None:
    async def positions() -> list[int | None]:
        turns = FairQueue(most=10)
        tickets = [turns.enter(client) for client in ("a", "a", "a", "b")]
        told = [turns.position(ticket) for ticket in tickets]
        turns.leave(tickets[1])  # it is not wanted any more
        assert [turns.position(ticket) for ticket in tickets] == [None, None, 0, 1]
        assert len(turns) == 2
        return told

    assert asyncio.run(positions()) == [None, 0, 2, 1]


def test_a_full_queue_takes_no_more() -> None:
    async def fill() -> None:
        turns = FairQueue(most=1)
        turns.enter("a")
        turns.enter("a")
        with pytest.raises(ProblemError, match="are waiting already") as refused:
            turns.enter("b", retry_after=7.2)
        assert refused.value.headers() == {"Retry-After": "8"}
        assert len(turns) == 1

    asyncio.run(fill())


def test_one_client_never_has_all_places() -> None:
    async def turns() -> list[str]:
        queue = FairQueue(most=10, places=2)
        first, second = queue.enter("a"), queue.enter("a")
        other = queue.enter("b")
        assert first.turn.is_set() and other.turn.is_set() and not second.turn.is_set()
        queue.leave(other)
        assert not second.turn.is_set(), "the second place is for others"
        queue.leave(first)
        return ["done"] if second.turn.is_set() else []

    assert asyncio.run(turns()) == ["done"]
