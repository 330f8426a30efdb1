"""Mean and spread against numpy's own."""

import numpy as np

from invdn.inference.sampling import RunningStats


def test_mean_and_spread_are_those_of_all_samples_at_once() -> None:
    samples = np.random.default_rng(0).normal(0.7, 0.01, (16, 5, 4, 3)).astype(np.float32)
    stats = RunningStats((5, 4, 3))
    for sample in samples:
        stats.add(sample)
    assert np.allclose(stats.mean, samples.mean(axis=0), atol=1e-6)
    assert np.allclose(stats.std(), samples.std(axis=0, ddof=1), rtol=1e-3)


def test_one_sample_has_no_spread() -> None:
    stats = RunningStats((2,))
    stats.add(np.ones(2, np.float32))
    assert stats.mean.tolist() == [1, 1]
    assert stats.std().tolist() == [0, 0]
