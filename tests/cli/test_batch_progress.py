"""The bars of a batch, on a terminal of paper."""

import io
import re
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from invdn.batch import Job, Outcome
from invdn.cli.batch import BatchProgress
from invdn.photo.photo import Photo
from invdn.photo.write import write_photo


def test_time_goes_by_megapixels(tmp_path: Path) -> None:
    jobs = []
    for name, side in (("small", 100), ("large\n\x1b[31m", 300), ("broken", 100)):
        path = tmp_path / f"{name}.png"
        write_photo(Photo(np.zeros((side, side, 3), np.uint8)), path)
        jobs.append(Job(path, path))
    paper = io.StringIO()
    console = Console(file=paper, force_terminal=True, width=120)
    with Progress(console=console) as bars:
        shown = BatchProgress(bars, jobs)
        shown.measure()
        with shown.photograph(jobs[0]) as progress:
            progress(1, 2)
            (overall, photograph) = bars.tasks
            assert np.allclose((overall.completed, overall.total), (0.005, 0.11))
            assert (photograph.completed, photograph.total) == (1, 2)
        shown.finished(Outcome(jobs[0].source, None, "done"))
        shown.finished(Outcome(jobs[2].source, None, "failed"))
        with shown.photograph(jobs[1]) as progress:
            progress(1, 3)
            (overall, photograph) = bars.tasks
            assert re.match(r"2/3 photographs, 0\.0/0\.1 megapixels", overall.description)
            assert np.isclose(overall.percentage, 40)
            assert photograph.description == "large\\n\\x1b[31m.png"
        shown.finished(Outcome(jobs[1].source, None, "done"))
        assert bars.tasks[0].percentage == 100
