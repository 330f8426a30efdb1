"""Pickles that would run code, fill the memory or crash an unpickler: all refused, none run."""

import builtins
import codecs
import copyreg
import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from invdn.errors import WeightsError
from invdn.weights import Parameters, pickle_tree, read_parameters
from invdn.weights.pickle_formats import LEGACY_START
from invdn.weights.pickle_tree import parse_pickle
from invdn.weights.pickled_tensors import ALLOWED

PROTO = b"\x80\x02"
ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntU\x01btR"
FLOAT = b"cnumpy\ndtype\n(U\x02f4I0\nI1\ntR(I3\nU\x01<NNNI-1\nI-1\nI0\ntb"


class Reduced:
    """Pickles into the call that it is given."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.reduction = (function, arguments)

    def __reduce__(self) -> Any:
        return self.reduction


def archive(pickled: bytes, **members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("archive/data.pkl", pickled)
        for name, content in members.items():
            file.writestr(f"archive/data/{name}", content)
    return buffer.getvalue()


def legacy(pickled: bytes) -> bytes:
    machine = {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}
    head = LEGACY_START + pickle.dumps(1001, 2) + pickle.dumps(machine, 2)
    return head + pickled + pickle.dumps([], 2)


containers = pytest.mark.parametrize("contain", [bytes, archive, legacy], ids=["pdp", "zip", "old"])


@pytest.fixture
def refuse(tmp_path: Path) -> Callable[..., None]:
    """Read bytes as a weights file and see them refused."""

    def check(data: bytes, message: str | None = None) -> None:
        path = tmp_path / "weights"
        path.write_bytes(data)
        with pytest.raises(WeightsError, match=message):
            read_parameters(path)

    return check


@containers
@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize(
    "attack",
    [
        lambda place: Reduced(os.system, f"touch {place}"),
        lambda place: Reduced(eval, f"open({place!r}, 'w')"),
        lambda place: Reduced(exec, f"open({place!r}, 'w')"),
        lambda place: Reduced(open, place, "w"),
        lambda place: Reduced(map, open, [place]),
        lambda place: Reduced(getattr, place, "x"),
        lambda place: Reduced(os.mkdir, place),
        lambda place: Reduced(__import__, "antigravity"),
        lambda place: Reduced(codecs.open, place, "w"),
        lambda place: Reduced(np.save, place, 3),
        lambda place: Reduced(np.fromfile, place),
        lambda place: Reduced(np.dtype, [("a", Reduced(os.mkdir, place))]),
        lambda place: Reduced(tuple, [Reduced(os.mkdir, place)]),
        lambda place: Reduced(Reduced, os.mkdir, place),
        lambda place: np.array([Reduced(os.mkdir, place)], dtype=object),
        lambda place: {"state_dict": {"operations.0.x": Reduced(os.mkdir, place)}},
        lambda place: {"optimizer": [{"a": (1, Reduced(os.mkdir, place))}]},
    ],
)
def test_nothing_is_executed(
    attack: Callable[[str], Any],
    contain: Callable[[bytes], bytes],
    protocol: int,
    refuse: Callable[..., None],
    tmp_path: Path,
    parameters: Parameters,
) -> None:
    sentinel = tmp_path / "sentinel"
    state = {**parameters.official_tensors(), "evil": attack(str(sentinel))}
    refuse(contain(pickle.dumps(state, protocol)), "unsafe pickle: it asks for ")
    assert not sentinel.exists()


def test_the_refused_name_is_told(refuse: Callable[..., None]) -> None:
    refuse(pickle.dumps(Reduced(os.system, "true"), 2), rf"asks for {os.system.__module__}\.system")
    refuse(pickle.dumps(Reduced(eval, "1"), 4), r"asks for builtins\.eval")


@pytest.mark.parametrize(
    "opcodes",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"(S'true'\nios\nsystem\n.",  # INST
        b"(cos\nsystem\nS'true'\no.",  # OBJ
        b"(cnumpy\nndarray\nI1\no.",  # OBJ of an allowed name
        b"ccollections\nOrderedDict\n)\x81.",  # NEWOBJ
        b"\x8c\x0bcollections\x8c\x0bOrderedDict\x93)}\x92.",  # NEWOBJ_EX
        b"\x82\x01.",  # EXT1
        b"\x83\x01\x00.",  # EXT2
        b"\x84\x01\x00\x00\x00.",  # EXT4
        b"Pabc\n.",  # PERSID as text
        b"\x97.",  # NEXT_BUFFER
        b"C\x01a\x98.",  # READONLY_BUFFER
        b"cbuiltins\ntuple.__init__\n.",
        b"\x8c\x08builtins\x8c\x0etuple.__call__\x93.",
        b"\x8c\x08builtins\x8c\x05tuple\x93\x8c\x01x\x8c\x01y\x86b.",  # BUILD on a global
        b"ccollections\nOrderedDict\n}U\x06updateU\x01xsb.",  # tampering with an allowed class
        b"I3\n)R.",  # a call of a number
        b"cbuiltins\ntuple\nI3\nR.",  # arguments that are none
        b"K\x01K\x02\x93.",  # STACK_GLOBAL of numbers
        b"ccollections\nOrderedDict\n(](K\x01K\x02K\x03eetR.",
        b"ccollections\nOrderedDict\n(K\x01tR.",
    ],
)
def test_opcodes_that_no_tensor_needs(opcodes: bytes, refuse: Callable[..., None]) -> None:
    refuse(PROTO + opcodes, r"unsafe pickle|damaged pickle|no parameters")


def test_a_key_whose_hash_would_overflow_the_stack(refuse: Callable[..., None]) -> None:
    """Python's own unpickler dies of it with a segmentation fault, whatever it may import."""
    refuse(PROTO + b"}N" + b"\x85" * 900_000 + b"K\x01s.", "a tuple is the key of a dictionary")


def test_registered_extensions_are_not_looked_up(refuse: Callable[..., None]) -> None:
    copyreg.add_extension("os", "system", 0xEE)
    try:
        refuse(PROTO + b"\x82\xee(S'true'\ntR.", "unsafe pickle: it uses the operation EXT1")
    finally:
        copyreg.remove_extension("os", "system", 0xEE)


def test_parsing_leaves_allowed_names_untouched() -> None:
    builtin = vars(builtins).copy()
    for name in ALLOWED:
        module, _, attribute = name.rpartition(".")
        pickled = f"c{module}\n{attribute}\n)R}}U\x01aK\x01sb.".encode("latin-1")
        parse_pickle(io.BytesIO(PROTO + pickled), ALLOWED)
    assert vars(builtins) == builtin
    assert not hasattr(np.ndarray, "a")


@pytest.mark.parametrize(
    "opcodes",
    [
        b"}" + b"\x85" * 30_000 + b"}\x8c\x00s.",  # hashing nested tuples overflows the C stack
        b"}" + b")" + b"\x85" * 30_000 + b"K\x01s.",
        b"]" * 30_000 + b"a" * 29_999 + b".",
        b"(" * 30_000 + b"t" * 30_000 + b".",
        b"Nr\xff\xff\xff\x7f.",  # a memo of two billion entries
        b"N\x94" * 10 + b".",
        b"B\xff\xff\xff\x7fabc.",
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7fabc.",
        b"\x96\xff\xff\xff\xff\xff\xff\xff\x00abc.",
        b"\x8b\xff\xff\xff\x7fabc.",
        b"I" + b"9" * 100_000 + b"\n.",
        b"]q\x00h\x00a.",  # a list that holds itself
        b"}q\x00U\x05modelh\x00s.",  # a dictionary that holds itself
        b"}U\x0eoperations.0.x(U\x01a]q\x00h\x00atq\x01s.",
        b"0.",
        b"t.",
        b"h\x05.",
        b".",
        b"NN.",
        b"(N.",
        b"K\x01K\x02a.",
        b"}K\x01s.",
        b"}(K\x01u.",
        b"(K\x01d.",
        b"NNb.",
        b"",
    ],
)
def test_bombs_and_broken_stacks(opcodes: bytes, refuse: Callable[..., None]) -> None:
    refuse(PROTO + opcodes)
    refuse(archive(PROTO + opcodes))
    refuse(legacy(PROTO + opcodes))


def test_a_flood_of_operations(
    refuse: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pickle_tree, "MOST_OPERATIONS", 1000)
    refuse(PROTO + b"}" * 1001 + b".", "more than 1000 operations")


def numpy_array(shape: bytes, data: bytes, dtype: bytes = FLOAT) -> bytes:
    state = b"(I1\n" + shape + dtype + b"I00\n" + b"T" + struct.pack("<I", len(data)) + data + b"tb"
    return PROTO + b"}U\x0eoperations.0.x" + ARRAY + state + b"s."


def test_the_array_builder_builds(tmp_path: Path) -> None:
    tree = parse_pickle(io.BytesIO(numpy_array(b"(I2\nt", bytes(8))), ALLOWED)
    assert isinstance(tree.root, dict)


@pytest.mark.parametrize(
    "pickled",
    [
        numpy_array(b"(I3\nt", bytes(8)),
        numpy_array(b"(L99999999999999999999L\nt", bytes(8)),
        numpy_array(b"(I-2\nt", bytes(8)),
        numpy_array(b"(I-2\nI-1\nt", bytes(8)),
        numpy_array(b"(I0\nL99999999999999999999L\nt", b""),
        numpy_array(b"(" + b"I1\n" * 9 + b"t", bytes(4)),
        numpy_array(b"(F2\nt", bytes(8)),
        numpy_array(b"(NI2\nt", bytes(8)),
        numpy_array(b"]", bytes(8)),
        numpy_array(b"(I1\nt", bytes(8), b"cnumpy\ndtype\n(U\x02O8I0\nI1\ntR"),
        numpy_array(b"(I1\nt", bytes(8), b"cnumpy\ndtype\n(U\x02V8I0\nI1\ntR"),
        numpy_array(b"(I1\nt", bytes(8), b"cnumpy\ndtype\n(U\x02S8I0\nI1\ntR"),
        numpy_array(b"(I1\nt", bytes(8), b"U\x02f8"),
        PROTO + b"}U\x0eoperations.0.x" + ARRAY + b"s.",
        PROTO + b"}U\x0eoperations.0.x" + ARRAY + b"NbNbs.",
        PROTO + b"}U\x0eoperations.0.x" + ARRAY + b"(NNNtbs.",
        PROTO
        + b"}U\x0eoperations.0.xc_codecs\nencode\n(X\x01\x00\x00\x00aX\x03\x00\x00\x00hextRs.",
        PROTO + b"}U\x0eoperations.0.xcnumpy.core.multiarray\nscalar\n(" + FLOAT + b"U\x04abcdtRs.",
    ],
)
def test_lies_about_arrays(pickled: bytes, refuse: Callable[..., None]) -> None:
    refuse(pickled, "damaged tensor|damaged pickle")


def torch_tensor(
    identifier: bytes = b"(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuI4\nt",
    offset: bytes = b"I0\n",
    size: bytes = b"(I2\nI2\nt",
    stride: bytes = b"(I2\nI1\nt",
) -> bytes:
    arguments = b"(" + identifier + b"Q" + offset + size + stride + b"I00\nNt"
    return PROTO + b"}U\x0eoperations.0.xctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"Rs."


def test_the_tensor_builder_builds(refuse: Callable[..., None]) -> None:
    refuse(archive(torch_tensor(), **{"0": bytes(16)}), "another network: 1 tensors")


@pytest.mark.parametrize(
    "pickled",
    [
        torch_tensor(offset=b"I1\n"),
        torch_tensor(offset=b"I-1\n"),
        torch_tensor(offset=b"L99999999999999999999L\n"),
        torch_tensor(offset=b"N"),
        torch_tensor(size=b"(I3\nI2\nt"),
        torch_tensor(size=b"(I-1\nI2\nt"),
        torch_tensor(size=b"(I0\nL99999999999999999999L\nt"),
        torch_tensor(size=b"(L9999999999999L\nI2\nt", stride=b"(I0\nI0\nt"),
        torch_tensor(stride=b"(I2\nt"),
        torch_tensor(stride=b"(I-2\nI1\nt"),
        torch_tensor(stride=b"(L4611686018427387904L\nI1\nt"),
        torch_tensor(stride=b"]"),
        torch_tensor(b"(U\x07storagectorch\nFloatStorage\nU\x011U\x03cpuI4\nt"),
        torch_tensor(b"(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuI5\nt"),
        torch_tensor(b"(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuI-4\nt"),
        torch_tensor(b"(U\x07storagectorch\nHalfStorage\nU\x010U\x03cpuI4\nt"),
        torch_tensor(b"(U\x07storagecnumpy\nndarray\nU\x010U\x03cpuI4\nt"),
        torch_tensor(b"(U\x07storageU\x01xU\x010U\x03cpuI4\nt"),
        torch_tensor(b"(U\x07storagectorch\nFloatStorage\nU\x09../passwdU\x03cpuI4\nt"),
        torch_tensor(b"(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuI4\n(U\x01aI0\nI4\ntt"),
        torch_tensor(b"U\x06module"),
        torch_tensor(b"(U\x06moduleU\x01atQ"),
    ],
)
def test_lies_about_tensors(pickled: bytes, refuse: Callable[..., None]) -> None:
    refuse(archive(pickled, **{"0": bytes(16)}), "damaged tensor|damaged pickle")


def test_a_persistent_identifier_in_a_paddle_file(refuse: Callable[..., None]) -> None:
    refuse(torch_tensor(), "storage 0 is missing")


def test_paths_in_an_archive_stay_inside_it(refuse: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "0").write_bytes(bytes(16))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("../data.pkl", torch_tensor())
        file.writestr("/evil", b"x")
        file.writestr("../../evil", b"x")
    before = sorted(tmp_path.parent.rglob("*"))
    refuse(buffer.getvalue(), "storage 0 is missing")
    assert [path for path in sorted(tmp_path.parent.rglob("*")) if path.name == "evil"] == []
    assert len(sorted(tmp_path.parent.rglob("*"))) == len(before) + 1  # the file that was read


def test_members_that_share_their_bytes(refuse: Callable[..., None]) -> None:
    """A zip bomb without compression: many entries of the directory point at one member."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("archive/data.pkl", bytes(100_000))
        (info,) = file.infolist()
        for _ in range(1000):
            file.filelist.append(info)
    refuse(buffer.getvalue(), "members overlap")
