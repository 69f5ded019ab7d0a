"""The commands of the console script: their flags, and what they print."""
