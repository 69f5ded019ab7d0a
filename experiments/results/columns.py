"""The columns by which rows of runs.csv are grouped and ordered."""

from experiments.config.recipes import GOVERNED

FIRST = ("modality", "task", "private")  # the order of the table

# What keeps the attribute out of h: rows of one block differ in it. The recipe names the others.
PROTECTION = ("lambda", "recipe", *GOVERNED)
