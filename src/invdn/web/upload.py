"""A photograph from the body of a request into a file: counted, timed and looked at on the way."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from ..errors import ImageError
from ..photo.formats import format_of_content
from .errors import ProblemError
from .quota import Scratch
from .settings import Settings

_HEAD = 64  # bytes that tell the format
_MOST_PARTS = 64
_LONGEST_FIELD = 1024


@dataclass
class Upload:
    """What a body held.

    Attributes:
        format: of the photograph, by its content.
        size: its bytes.
        name: the file name that the client gave, or nothing.
        fields: the other fields of a form.
    """

    format: str = ""
    size: int = 0
    name: str = ""
    fields: dict[str, str] = field(default_factory=dict)


async def receive(request: Request, kept: Scratch, settings: Settings) -> Upload:
    """Write the photograph of a request into ``kept.folder / "upload"``.

    Args:
        request: its body is the photograph, or a form with it.
        kept: where to put it; its bytes are counted.
        settings: how much and how slowly.

    Raises:
        ProblemError: too large, too slow, no photograph, or a form that cannot be understood.
    """
    _check_head(request, settings)
    kind, parameters = parse_options_header(request.headers.get("content-type", ""))
    with open(kept.folder / "upload", "xb", opener=_private) as file:
        sink = _Sink(file, kept)
        body = _timed(request, settings)
        if kind.startswith(b"multipart/"):
            await _receive_form(body, parameters.get(b"boundary", b""), sink)
        else:
            async for chunk in body:
                sink.write(chunk)
        sink.close()
    return sink.upload


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _check_head(request: Request, settings: Settings) -> None:
    """Refuse what the head of the request already tells."""
    if request.headers.get("content-encoding", "identity") != "identity":
        raise ProblemError("unsupported", "send the photograph as it is, without Content-Encoding")
    length = request.headers.get("content-length", "0")
    if length.isascii() and length.isdigit() and int(length) > settings.max_bytes:
        raise _too_large(settings)


def _too_large(settings: Settings) -> ProblemError:
    return ProblemError(
        "too-large",
        f"the file is larger than the {settings.max_bytes / 1e6:g} MB that the service takes; "
        "denoise it with the command, or raise --max-megabytes",
    )


async def _timed(request: Request, settings: Settings) -> AsyncIterator[bytes]:
    """Yield the body, for as long as it comes fast enough and is not too large."""
    stream = request.stream()
    start, size = time.monotonic(), 0
    try:
        while True:
            due = start + settings.idle_seconds + size / settings.slowest
            patience = min(settings.idle_seconds, due - time.monotonic())
            async with asyncio.timeout(patience):
                chunk = await anext(stream, None)
            if chunk is None:
                return
            size += len(chunk)
            if size > settings.max_bytes:
                raise _too_large(settings)
            yield chunk
    except TimeoutError:
        raise ProblemError(
            "timeout",
            f"the photograph came at less than {settings.slowest / 1024:g} KiB a second, or stood "
            f"still for {settings.idle_seconds:g} seconds; send it again",
        ) from None
    except ClientDisconnect:
        raise ProblemError(
            "bad-request", "the client went away before the photograph ended"
        ) from None


class _Sink:
    """The file being written; refuses what is no photograph after its first bytes."""

    def __init__(self, file: BinaryIO, kept: Scratch) -> None:
        self.upload = Upload()
        self._file = file
        self._kept = kept
        self._head = b""

    def write(self, chunk: bytes) -> None:
        self._kept.grow(len(chunk))
        self.upload.size += len(chunk)
        if len(self._head) < _HEAD:
            self._head += chunk[:_HEAD]
            if len(self._head) >= _HEAD:
                self._identify()
        self._file.write(chunk)

    def close(self) -> None:
        if not self.upload.size:
            raise ProblemError("invalid", "there is no photograph in the body of the request")
        if not self.upload.format:
            self._identify()

    def _identify(self) -> None:
        try:
            self.upload.format = format_of_content(self._head)
        except ImageError as error:
            raise ProblemError("unsupported", str(error)) from error


async def _receive_form(body: AsyncIterator[bytes], boundary: bytes, sink: _Sink) -> None:
    form = _Form(sink)
    if not boundary:
        raise ProblemError("bad-request", "the form's Content-Type names no boundary")
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": form.begin,
                "on_header_field": form.header_field,
                "on_header_value": form.header_value,
                "on_header_end": form.header_end,
                "on_headers_finished": form.headers_finished,
                "on_part_data": form.data,
                "on_part_end": form.end,
                "on_end": form.finish,
            },
        )
        async for chunk in body:
            parser.write(chunk)
        parser.finalize()
    except FormParserError as error:
        raise ProblemError("bad-request", f"the form cannot be understood: {error}") from error
    if not form.finished:
        raise ProblemError("bad-request", "the form ends before its last boundary")


class _Form:
    """Takes the parts of a form as the parser meets them."""

    def __init__(self, sink: _Sink) -> None:
        self.finished = False
        self._sink = sink
        self._parts = 0
        self._photographs = 0
        self._header = [b"", b""]
        self._disposition = b""
        self._field: str | None = None
        self._value = b""

    def begin(self) -> None:
        self._parts += 1
        self._disposition = self._value = b""
        self._header = [b"", b""]
        if self._parts > _MOST_PARTS:
            raise ProblemError("bad-request", f"the form has more than {_MOST_PARTS} parts")

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._header[0] += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1] += data[start:end]

    def header_end(self) -> None:
        name, value = self._header
        if name.lower() == b"content-disposition":
            self._disposition = value
        self._header = [b"", b""]

    def headers_finished(self) -> None:
        _, parameters = parse_options_header(self._disposition)
        name = parameters.get(b"name", b"").decode("utf-8", "replace")
        if name != "photo" and b"filename" not in parameters:
            self._field = name
            return
        self._field = None
        self._photographs += 1
        if name != "photo" or self._photographs > 1:
            raise ProblemError("invalid", "a form must hold one file, in the field 'photo'")
        self._sink.upload.name = parameters.get(b"filename", b"").decode("utf-8", "replace")

    def data(self, data: bytes, start: int, end: int) -> None:
        if self._field is None:
            self._sink.write(data[start:end])
            return
        self._value += data[start:end]
        if len(self._value) > _LONGEST_FIELD:
            raise ProblemError("invalid", f"the field {self._field[:50]!r} is too long")

    def end(self) -> None:
        if self._field is None:
            return
        if self._field in self._sink.upload.fields:
            raise ProblemError("invalid", f"the field {self._field[:50]!r} is given twice")
        self._sink.upload.fields[self._field] = self._value.decode("utf-8", "replace")

    def finish(self) -> None:
        self.finished = True
