"""The release folder: cards, data, model, checksums, provenance, and the upload to the Hugging Face Hub."""
