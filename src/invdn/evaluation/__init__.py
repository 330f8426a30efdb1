"""Scores, reports, baselines and benchmark submissions: numbers that say how they were measured."""
