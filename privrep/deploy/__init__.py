"""Trained networks outside the experiment: model folders, the statistics of a person, encoding."""
