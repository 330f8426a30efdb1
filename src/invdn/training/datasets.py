"""What a recipe trains on: opened, checked, and ready to be drawn from."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from torch.utils.data import Dataset

from ..data.camera_range import DSLR, PHONE, CameraDistribution
from ..data.colors import ColorOptions
from ..data.crops import CropDataset, CropOptions, Sample
from ..data.images import ImageSource, Progress
from ..data.sources import PairSource, open_images, open_pairs, verify
from ..data.synthesis import SynthesisOptions
from ..errors import DataError, ImageError, RecipeError
from .recipe import DataSettings, Phase, Recipe

CAMERAS = {"phone": PHONE, "dslr": DSLR}


@dataclass(frozen=True)
class TrainingData:
    """Opened training data.

    Attributes:
        pairs: sources of real pairs.
        photographs: sources of clean photographs.
        samples: what each phase draws from.
    """

    pairs: Sequence[PairSource]
    photographs: Sequence[ImageSource]
    samples: Sequence[Dataset[Sample]]

    def verify(self, progress: Progress) -> None:
        """Decode every image file once.

        Raises:
            ImageError: a file is damaged; the message names it.
        """
        for pairs in self.pairs:
            verify(pairs, progress)
        for photographs in self.photographs:
            verify(photographs, progress)


def open_datasets(recipe: Recipe) -> TrainingData:
    """Open the recipe's training data; names, sizes and types are checked, pixels not yet read.

    Raises:
        DataError: data are missing, do not match, or are smaller than a crop.
    """
    data = recipe.data
    pairs = [open_pairs(data.root / path) for path in data.pairs]
    photographs = [open_images(data.root / path) for path in data.clean]
    length = sum(phase.steps * phase.batch for phase in recipe.phases)
    held_out = frozenset(recipe.validation.photographs)
    samples = []
    for phase in recipe.phases:
        options = CropOptions(
            crop=phase.crop,
            seed=recipe.seed,
            pair_fraction=data.pair_fraction,
            zoom_share=data.zoom_share,
            zoom_largest=data.zoom_largest,
            smooth_share=data.smooth_share,
        )
        samples.append(CropDataset(pairs, photographs, options, length, held_out))
    return TrainingData(pairs, photographs, samples)


def check_processes(phases: Sequence[Phase], processes: int) -> None:
    """Require that every process gets an equal part of every batch.

    Raises:
        RecipeError: a batch cannot be shared equally.
    """
    for phase in phases:
        if phase.batch % processes:
            raise RecipeError(
                f"a batch of {phase.batch} cannot be shared by {processes} processes equally: set "
                "hardware.batch_scale or another number of processes"
            )


def camera_shares(settings: DataSettings) -> dict[CameraDistribution, float]:
    """Return the cameras that synthetic noise comes from, with their shares."""
    shares = settings.cameras.model_dump()
    return {camera: shares[name] for name, camera in CAMERAS.items() if shares[name]}


def synthesis_options(settings: DataSettings) -> SynthesisOptions:
    """Return how clean crops become pairs."""
    return SynthesisOptions(
        cameras=camera_shares(settings),
        colors=ColorOptions(**settings.colors.model_dump()),
        drawn_share=settings.drawn_share,
        full_exposure_share=settings.full_exposure_share,
        unchanged_share=settings.unchanged_share,
        faint_share=settings.faint_share,
        added_share=settings.added_share,
        averaged_share=settings.averaged_share,
    )


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
