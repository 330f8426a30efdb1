"""What an archive will cost: sizes from a random sample of headers, speed from a measurement."""

import io
import random
from dataclasses import dataclass, field

from ..batch.megapixels import megapixels_of_content
from ..errors import StoreError
from ..stores import Store
from .row import Row

#: Photographs whose header is looked at, and how much of each.
SAMPLE, _START = 64, 1 << 18


@dataclass
class SizeSample:
    """A random sample of the rows that go by, each as likely as any other.

    Attributes:
        seen: rows that went by.
        rows: the sample.
    """

    seen: int = 0
    rows: list[Row] = field(default_factory=list)
    _random: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311

    def __call__(self, row: Row) -> None:
        """Take a row down, or not."""
        self.seen += 1
        if len(self.rows) < SAMPLE:
            self.rows.append(row)
        elif (place := self._random.randrange(self.seen)) < SAMPLE:
            self.rows[place] = row


@dataclass(frozen=True)
class Estimate:
    """What an archive costs.

    Attributes:
        photographs: how many.
        megapixels: of all of them; None where no header named a size.
        measured: headers of the sample that named a size.
        sampled: headers that were looked at.
    """

    photographs: int
    megapixels: float | None
    measured: int
    sampled: int

    def hours(self, seconds_per_megapixel: float, processors: int = 1) -> float | None:
        """Return core-hours, or GPU-hours.

        Args:
            seconds_per_megapixel: measured.
            processors: cores or GPUs that were busy so long.

        Example:
            >>> Estimate(1_000_000, 12e6, 64, 64).hours(1.5, 2)
            10000.0
        """
        if self.megapixels is None:
            return None
        return self.megapixels * seconds_per_megapixel * processors / 3600


def estimate_cost(source: Store, sample: SizeSample) -> Estimate:
    """Look at the headers of a sample; what cannot be read counts as the mean.

    Args:
        source: the photographs.
        sample: of them.
    """
    sizes = []
    for row in sample.rows:
        try:
            start = source.start(row.key, _START)
        except StoreError:
            continue
        if size := megapixels_of_content(io.BytesIO(start)):
            sizes.append(size)
    total = sum(sizes) / len(sizes) * sample.seen if sizes else None
    return Estimate(sample.seen, total, len(sizes), len(sample.rows))
