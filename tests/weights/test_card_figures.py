"""Figures that README and the model cards show are those of the benchmark's stored results."""

import json
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
RESULTS = REPOSITORY / "benchmarks" / "results"
CARDS = REPOSITORY / "src" / "invdn" / "weights" / "models"
#: Beginnings of rows, without the stars of bold type, and the methods of the benchmark.
ROWS = {
    "noisy": "noisy input",
    "OpenCV non-local means": "nlm",
    "scikit-image wavelet": "wavelet",
    "InvDN, one random draw": "one random draw",
    "one random draw": "one random draw",
    "8 symmetries, one draw each": "8 symmetries, a draw each",
    "one sample at latent scale 0": "latent scale 0",
    "the same with `--strength 1`": "latent scale 0",
    "8 symmetries at latent scale 0": "8 symmetries at latent scale 0",
    "and with `--quality best`": "8 symmetries at latent scale 0",
    "as `invdn denoise` does it": "as invdn denoise does it, strength auto",
    "InvDN, as `invdn denoise`": "as invdn denoise does it, strength auto",
}


def measured(name: str) -> dict[str, list[tuple[float, float]]]:
    """PSNR and SSIM of each method, set by set."""
    sets = json.loads((RESULTS / name).read_text())["sets"].values()
    methods = [row["method"] for row in next(iter(sets))]
    return {
        method: [
            next((row["psnr"], row["ssim"]) for row in rows if row["method"] == method)
            for rows in sets
        ]
        for method in methods
    }


@pytest.mark.parametrize(
    ("page", "name", "rows"),
    [
        (REPOSITORY / "README.md", "model-quality.json", 7),
        (CARDS / "MODEL_CARD.md", "model-quality.json", 8),
        (CARDS / "FAST_MODEL_CARD.md", "model-quality-fast.json", 8),
    ],
)
def test_tables_are_the_measured_ones(page: Path, name: str, rows: int) -> None:
    found = measured(name)
    seen = 0
    for line in page.read_text().splitlines():
        cells = [cell.strip(" *") for cell in line.strip().strip("|").split("|")]
        label = next((it for it in ROWS if cells[0].replace("*", "").startswith(it)), None)
        numbers = [float(it) for it in re.findall(r"\d+\.\d+", " ".join(cells[1:]))]
        if label is None or len(numbers) not in (2, 10) or not line.startswith("|"):
            continue
        psnr, ssim = zip(*found[ROWS[label]], strict=True)
        sets = len(numbers) // 2
        assert numbers[::2] == pytest.approx(psnr[:sets], abs=0.0051), line
        assert numbers[1::2] == pytest.approx(ssim[:sets], abs=0.00051), line
        seen += 1
    assert seen == rows


@pytest.mark.parametrize(
    ("card", "name"),
    [("MODEL_CARD.md", "model-quality.json"), ("FAST_MODEL_CARD.md", "model-quality-fast.json")],
)
def test_what_the_hub_reads_is_the_measured_one(card: str, name: str) -> None:
    values = re.findall(r"value: ([\d.]+)\}", (CARDS / card).read_text())
    psnr, ssim = measured(name)["as invdn denoise does it, strength auto"][0]
    assert [float(it) for it in values] == [round(psnr, 2), round(ssim, 3)]
