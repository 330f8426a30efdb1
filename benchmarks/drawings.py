"""Draw a sheet of the pictures that training draws: a column for each kind.

python benchmarks/drawings.py docs/noise/drawings.jpg
"""

import sys
from pathlib import Path

import numpy as np
import torch

from invdn.data.drawings import KINDS, render
from invdn.photo.photo import Photo
from invdn.photo.write import write_photo

SIZE, ROWS = 96, 3


def main(target: Path) -> None:
    """Draw the sheet."""
    columns = []
    for number, draw in enumerate(KINDS.values()):
        drawings = [draw(SIZE, np.random.default_rng((number, row))) for row in range(ROWS)]
        columns.append(torch.cat(list(render(drawings, SIZE, torch.device("cpu"))), 1))
    sheet = (torch.cat(columns, 2).permute(1, 2, 0) * 255).round().byte().numpy()
    write_photo(Photo(sheet), target, overwrite=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
