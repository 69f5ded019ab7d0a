"""Where the checkout lies, wherever under tests/ a file stands."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
