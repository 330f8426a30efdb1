"""What a worker says to the service, as JSON: whoever takes a worker over cannot send code."""

import json
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from typing import Any

from .errors import KINDS, ProblemError
from .tasks import Denoised, Inspection

_LONGEST = 1 << 20  # bytes of a message
_OUTCOMES: dict[str, type[Inspection] | type[Denoised]] = {
    "inspection": Inspection,
    "denoised": Denoised,
}


@dataclass(frozen=True)
class Ready:
    """The engine is loaded, or could not be.

    Attributes:
        description: of the engine, for people.
        error: why it could not be.
        sandbox: what confines the process.
        pace: seconds that the network takes for a megapixel and pass.
    """

    description: str
    error: str | None = None
    sandbox: tuple[str, ...] = ()
    pace: float | None = None


@dataclass(frozen=True)
class Progressed:
    """So many passes of the network are done."""

    number: int
    done: int
    total: int


@dataclass(frozen=True)
class Done:
    """A task has come to its end: an outcome, a problem, or neither where it was cancelled."""

    number: int
    outcome: Inspection | Denoised | None = None
    problem: ProblemError | None = None


Answer = Ready | Progressed | Done


def send(connection: "Connection[Any, Any]", answer: Answer) -> None:
    """Send an answer to the service."""
    match answer:
        case Ready():
            body: list[Any] = [
                "ready",
                answer.description,
                answer.error,
                answer.sandbox,
                answer.pace,
            ]
        case Progressed():
            body = ["progressed", answer.number, answer.done, answer.total]
        case Done(number, None, None):
            body = ["done", number, None, None]
        case Done(number, None, problem):
            body = ["done", number, "problem", problem.args if problem else None]
        case Done(number, outcome, _):
            name = next(key for key, kind in _OUTCOMES.items() if type(outcome) is kind)
            body = ["done", number, name, asdict(outcome) if outcome else None]
    connection.send_bytes(json.dumps(body).encode())


def receive(connection: "Connection[Any, Any]") -> Answer:
    """Wait for an answer of a worker.

    Raises:
        EOFError: the worker is gone.
        ValueError: what came is no answer.
    """
    body = json.loads(connection.recv_bytes(_LONGEST))
    match body:
        case [
            "ready",
            str(description),
            str() | None as error,
            list(sandbox),
            int() | float() | None as pace,
        ]:
            return Ready(description, error, tuple(map(str, sandbox)), pace)
        case ["progressed", int(number), int(done), int(total)] if 0 <= done <= total:
            return Progressed(number, done, total)
        case ["done", int(number), None, None]:
            return Done(number)
        case ["done", int(number), "problem", [str(kind), str(detail), list(errors), after]] if (
            kind in KINDS and isinstance(after, int | float | None)
        ):
            named = tuple((str(name), str(words)) for name, words in errors)
            return Done(number, problem=ProblemError(kind, detail, named, after))
        case ["done", int(number), str(name), dict(values)] if name in _OUTCOMES:
            try:
                return Done(number, outcome=_OUTCOMES[name].from_json(values))
            except TypeError as error:
                raise ValueError(str(error)) from error
    raise ValueError("a worker sent something that is no answer")
