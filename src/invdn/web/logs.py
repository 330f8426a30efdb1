"""The service's log on standard error: a line for every event, as text or as JSON."""

import json
import logging
import secrets
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal

#: The request that is being answered, for every line that its handler writes.
request_id: ContextVar[str] = ContextVar("request_id", default="")
access = logging.getLogger("invdn.access")


def new_request_id() -> str:
    """Return a name for a request."""
    return secrets.token_hex(8)


def set_up(kind: Literal["text", "json"]) -> None:
    """Write the log of the service and its libraries to standard error.

    Args:
        kind: ``"text"`` for people, or ``"json"`` for programs, one object a line.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if kind == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("invdn").setLevel(logging.INFO)
    # tells of every odd form that a client sends
    logging.getLogger("python_multipart").setLevel(logging.ERROR)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """Return one line, and a traceback where there is one."""
        name = request_id.get()
        words = f"{_time(record)} {record.levelname.lower()} {record.getMessage()}"
        words += f" [{name}]" if name else ""
        return words + (f"\n{self.formatException(record.exc_info)}" if record.exc_info else "")


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """Return one object in one line."""
        entry = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if name := request_id.get():
            entry["request_id"] = name
        entry |= getattr(record, "fields", {})
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
