"""Seed instructions: layouts of the published sources, duplicates."""
