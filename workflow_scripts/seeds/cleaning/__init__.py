"""Cleaning rules and repair of texts."""
