"""Files for reprod_log, with which Paddle's reproductions are compared step by step.

Such a file is a pickled dictionary of arrays, as ``numpy.save`` writes it; ``ReprodDiffHelper``
reads it. Written without the package, which imports all of Paddle.
"""

from pathlib import Path
from typing import Any

from ..atomic import atomic_output, ensure_output


def write_reprod_log(path: Path, **arrays: Any) -> None:
    """Write named arrays, whole or not at all.

    Raises:
        OutputError: the file exists, or cannot be written.
    """
    import numpy as np

    ensure_output(path, overwrite=False)
    with atomic_output(path, overwrite=False) as temporary, temporary.open("wb") as file:
        values = {name: np.asarray(values) for name, values in arrays.items()}
        np.save(file, values, allow_pickle=True)  # type: ignore[arg-type]
