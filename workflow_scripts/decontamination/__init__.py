"""Decontamination: benchmark items and the lossless search for them in conversations."""
