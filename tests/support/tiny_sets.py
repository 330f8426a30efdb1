"""What small data sets are made of."""

import pickle
from pathlib import Path

import lmdb
import numpy as np
from numpy.typing import NDArray

SIZES = ((40, 48), (64, 32), (56, 56))


def picture(seed: int, height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def write_lmdb(folder: Path, images: dict[str, NDArray[np.uint8]]) -> None:
    folder.mkdir(parents=True)
    with lmdb.open(str(folder), map_size=1 << 24) as database, database.begin(write=True) as t:
        for key, pixels in images.items():
            t.put(key.encode(), pixels[:, :, ::-1].tobytes())
    sizes = [f"3_{pixels.shape[0]}_{pixels.shape[1]}" for pixels in images.values()]
    meta = {"name": folder.stem, "keys": list(images), "resolution": sizes}
    (folder / "meta_info.pkl").write_bytes(pickle.dumps(meta))
