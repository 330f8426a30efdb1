"""Pickles as inert trees: they are parsed, never executed.

Python's own unpickler calls whatever a file names. Here a small stack machine walks the opcodes
that ``pickletools`` decodes, and writes down what the file *asks for* instead of doing it: a call
becomes a :class:`Call`, an imported name a :class:`Global`. Nothing is imported, nothing is called,
no attribute is set; names outside an allow-list, and opcodes that no tensor needs, are refused.
An unpickler with an allow-list would be shorter, but hashes whatever a file makes a key of: a tuple
nested deeply enough overflows the stack, and the process dies.
"""

import pickletools
from collections.abc import Set
from dataclasses import dataclass
from io import BytesIO
from typing import Any, TypeVar

from ..errors import WeightsError

#: A checkpoint of the published network takes 50,000; the limit bounds the memory of hostile ones.
MOST_OPERATIONS = 1_000_000

_ORDERED_DICT = "collections.OrderedDict"
_SILENT = frozenset({"PROTO", "FRAME", "STOP"})
#: Operations that push their own argument.
_LITERALS = frozenset({
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
})  # fmt: skip
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}

_T = TypeVar("_T")


@dataclass(frozen=True)
class Global:
    """A name that the pickle would import: ``module.name``."""

    name: str


@dataclass(eq=False)
class Call:
    """A call that the pickle asks for, and the state that it would then set."""

    function: str
    arguments: tuple[object, ...]
    state: object = None


@dataclass(frozen=True)
class PersistentId:
    """A reference to something outside the pickle; in torch's files a storage."""

    value: object


@dataclass(frozen=True)
class PickleTree:
    """A parsed pickle: its root, and the value of every persistent identifier in it."""

    root: object
    persistent_ids: list[object]


def parse_pickle(stream: BytesIO, allowed: Set[str]) -> PickleTree:
    """Parse the pickle at the stream's position, and leave the stream just behind it.

    Dictionaries (ordered ones too), lists, tuples, numbers, texts and bytes become themselves.

    Args:
        stream: where the pickle lies.
        allowed: the names it may import, as ``module.name``.

    Raises:
        WeightsError: the pickle is damaged, too large, or asks for something that is not allowed.

    Example:
        >>> import pickle
        >>> parse_pickle(BytesIO(pickle.dumps({"a": [1, 2.5]})), frozenset()).root
        {'a': [1, 2.5]}
        >>> parse_pickle(BytesIO(pickle.dumps(print)), frozenset())
        Traceback (most recent call last):
        invdn.errors.WeightsError: unsafe pickle: it asks for builtins.print, which no tensor needs
    """
    machine = _Machine(allowed)
    try:
        for count, (operation, argument, _) in enumerate(pickletools.genops(stream)):
            if count == MOST_OPERATIONS:
                raise WeightsError(f"the pickle takes more than {MOST_OPERATIONS} operations")
            machine.execute(operation.name, argument)
        (root,) = machine.stack
    except (ValueError, IndexError, KeyError) as error:
        raise WeightsError(f"damaged pickle: {error}") from error
    return PickleTree(root, machine.persistent_ids)


def expect_end(stream: BytesIO) -> None:
    """Raise :class:`WeightsError` if anything follows the stream's position."""
    if stream.read(1):
        raise WeightsError("damaged file: something follows its end")


class _Machine:
    """The pickle machine (see the module ``pickletools`` for its opcodes), without its teeth."""

    def __init__(self, allowed: Set[str]) -> None:
        self.allowed = allowed
        self.stack: list[Any] = []
        self.outer: list[list[Any]] = []  # stacks set aside by MARK
        self.memo: dict[int, object] = {}
        self.persistent_ids: list[object] = []

    def execute(self, operation: str, argument: Any) -> None:
        stack = self.stack
        match operation:
            case _ if operation in _SILENT:
                pass
            case _ if operation in _LITERALS:
                stack.append(argument)
            case _ if operation in _CONSTANTS:
                stack.append(_CONSTANTS[operation])
            case _ if operation in _TUPLES:
                stack.append(tuple(self.pop_items(_TUPLES[operation])))
            case "EMPTY_TUPLE":
                stack.append(())
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_DICT":
                stack.append({})
            case "MARK":
                self.outer.append(stack)
                self.stack = []
            case "TUPLE":
                items = self.pop_mark()
                self.stack.append(tuple(items))
            case "LIST":
                items = self.pop_mark()
                self.stack.append(items)
            case "DICT":
                items = self.pop_mark()
                self.stack.append(_update({}, items))
            case "APPEND":
                (item,) = self.pop_items(1)
                _expect(stack[-1], list).append(item)
            case "APPENDS":
                items = self.pop_mark()
                _expect(self.stack[-1], list).extend(items)
            case "SETITEM":
                items = self.pop_items(2)
                _update(stack[-1], items)
            case "SETITEMS":
                items = self.pop_mark()
                _update(self.stack[-1], items)
            case "POP":
                stack.pop()
            case "POP_MARK":
                self.pop_mark()
            case "DUP":
                stack.append(stack[-1])
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = stack[-1]
            case "MEMOIZE":
                self.memo[len(self.memo)] = stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                stack.append(self.memo[argument])
            case "GLOBAL":
                module, _, name = argument.partition(" ")
                stack.append(self.find(module, name))
            case "STACK_GLOBAL":
                module, name = self.pop_items(2)
                stack.append(self.find(module, name))
            case "REDUCE":
                function, arguments = self.pop_items(2)
                stack.append(_call(_expect(function, Global).name, _expect(arguments, tuple)))
            case "BUILD":
                (state,) = self.pop_items(1)
                _build(stack[-1], state)
            case "BINPERSID":
                (identifier,) = self.pop_items(1)
                self.persistent_ids.append(identifier)
                stack.append(PersistentId(identifier))
            case _:
                raise WeightsError(
                    f"unsafe pickle: it uses the operation {operation}, which no tensor needs"
                )

    def pop_items(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise IndexError("the stack is too short")
        items = self.stack[-count:]
        del self.stack[-count:]
        return items

    def pop_mark(self) -> list[Any]:
        items = self.stack
        self.stack = self.outer.pop()
        return items

    def find(self, module: object, name: object) -> Global:
        found = f"{module}.{name}" if isinstance(module, str) and isinstance(name, str) else "?"
        if found not in self.allowed:
            raise WeightsError(f"unsafe pickle: it asks for {found[:100]}, which no tensor needs")
        return Global(found)


def _expect(value: object, kind: type[_T]) -> _T:
    if not isinstance(value, kind):
        raise ValueError(f"a {type(value).__name__} stands in the place of a {kind.__name__}")
    return value


def _update(target: object, items: list[Any]) -> dict[Any, Any]:
    """Add ``[key, value, key, value, ...]``; keys other than texts and integers are refused."""
    mapping = _expect(target, dict)
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(key, str | int):
            raise ValueError(f"a {type(key).__name__} is the key of a dictionary")
        mapping[key] = value
    return mapping


def _call(function: str, arguments: tuple[object, ...]) -> object:
    if function != _ORDERED_DICT:
        return Call(function, arguments)
    ordered: dict[Any, Any] = {}
    for pair in _expect(arguments[0], list) if arguments else []:
        _update(ordered, list(pair) if isinstance(pair, tuple) and len(pair) == 2 else [pair])
    return ordered


def _build(target: object, state: object) -> None:
    if isinstance(target, dict):
        return  # an ordered dictionary's attributes, such as torch's `_metadata`: of no use here
    call = _expect(target, Call)
    if call.state is not None:
        raise ValueError("a state is set twice")
    call.state = state
