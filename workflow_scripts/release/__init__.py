"""The folder to publish: cards, data, model, checksums, provenance, and the way to the hub."""
