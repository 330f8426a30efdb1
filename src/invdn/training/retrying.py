"""Reading samples again when a drive or network fails for a moment."""

import time
from collections.abc import Sequence

from torch.utils.data import Dataset

from ..data.crops import Sample
from ..errors import DataError, ImageError

#: Seconds to wait before each further try: what a network drive takes to come back.
PAUSES = (0.5, 2.0, 8.0)


class RetryingDataset(Dataset[Sample]):
    """A data set whose reading is tried again; a sample is the same whenever it is read.

    Args:
        samples: what is read.
        pauses: seconds to wait before each further try, ``PAUSES`` by default; the last failure
            is raised.
    """

    def __init__(self, samples: Dataset[Sample], pauses: Sequence[float] | None = None) -> None:
        self._samples = samples
        self._pauses = PAUSES if pauses is None else tuple(pauses)

    def __len__(self) -> int:
        return len(self._samples)  # type: ignore[arg-type]

    def __getitem__(self, number: int) -> Sample:
        for pause in self._pauses:
            try:
                return self._samples[number]
            except (DataError, ImageError, OSError):
                time.sleep(pause)
        return self._samples[number]
