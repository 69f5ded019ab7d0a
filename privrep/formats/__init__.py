"""Readers of the file formats that people have: label tables, vectors, text."""
