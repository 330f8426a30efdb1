"""MATLAB files: version 5 through scipy, version 7.3 (which is HDF5) through h5py."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..atomic import atomic_output
from ..errors import DataError, MissingDependencyError

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"  # stands at the start, or after MATLAB's header of 512 bytes


def is_hdf5(path: Path) -> bool:
    """Return whether a MATLAB file is of version 7.3.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return _HDF5_SIGNATURE in file.read(520)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


def read_variable(path: Path, name: str) -> NDArray[Any]:
    """Return an array of a MATLAB file with its axes in MATLAB's order.

    Raises:
        DataError: the file is damaged, or has no such variable; the message lists what it has.
        MissingDependencyError: the reader of this kind of file is not installed.
    """
    if is_hdf5(path):
        with open_hdf5(path) as file:
            if name not in file:
                raise _missing(path, name, list(file))
            try:
                # MATLAB stores columns first, so HDF5 shows every array with its axes reversed
                return np.asarray(file[name]).T
            except OSError as error:
                raise DataError(f"{path} is damaged or cut short: {error}") from error
    content = read_version_5(path, [name])
    if name not in content:
        raise _missing(path, name, [n for n in read_version_5(path) if not n.startswith("__")])
    return np.asarray(content[name])


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return every array of a MATLAB file by name, with its axes in MATLAB's order.

    Raises:
        DataError: the file is damaged.
        MissingDependencyError: the reader of this kind of file is not installed.
    """
    if is_hdf5(path):
        with open_hdf5(path) as file:
            names = [name for name, value in file.items() if hasattr(value, "shape")]
    else:
        names = [name for name in read_version_5(path) if not name.startswith("__")]
    return {name: read_variable(path, name) for name in names}


def open_hdf5(path: Path) -> Any:
    """Return an ``h5py.File`` to read from, to be closed by a ``with`` block.

    Raises:
        DataError: the file is damaged.
        MissingDependencyError: h5py is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise _missing_package("MATLAB 7.3 files need h5py") from error
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise DataError(f"{path} is damaged or cut short: {error}") from error


def read_version_5(path: Path, names: list[str] | None = None) -> dict[str, Any]:
    """Return the variables of a version 5 file; cells are arrays of objects.

    Raises:
        DataError: it is no such file, or damaged.
        MissingDependencyError: scipy is not installed.
    """
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise _missing_package("MATLAB files need scipy") from error
    try:
        return dict(loadmat(path, variable_names=names))
    except Exception as error:
        raise DataError(f"{path} is no MATLAB file, or cut short: {error}") from error


def write_version_5(path: Path, content: Mapping[str, Any]) -> None:
    """Write variables; arrays of objects become cells. The file appears whole or not at all.

    Raises:
        OutputError: it cannot be written.
        MissingDependencyError: scipy is not installed.
    """
    try:
        from scipy.io import savemat
    except ImportError as error:
        raise _missing_package("MATLAB files need scipy") from error
    with atomic_output(path, overwrite=True) as temporary:
        savemat(temporary, dict(content), appendmat=False, do_compression=True)


def _missing(path: Path, name: str, have: list[str]) -> DataError:
    return DataError(f"{path} has no variable {name!r}; it holds {', '.join(have) or 'nothing'}")


def _missing_package(reason: str) -> MissingDependencyError:
    return MissingDependencyError(f"{reason}: pip install 'invdn[evaluate]'")
