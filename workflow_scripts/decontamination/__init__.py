"""Benchmark items and the lossless search for them in conversations."""
