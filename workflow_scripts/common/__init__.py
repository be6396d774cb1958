"""Code that all stages share: rows on disk, errors, progress, the command line."""
