"""Measures the product: how fast, how cheap, how hard to break. Run by ``make bench`` and ``make chaos``."""
