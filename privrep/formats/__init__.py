"""Readers of label tables, vectors and text files, with checks."""
