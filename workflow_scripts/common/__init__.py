"""What every stage shares: rows on disk, errors, progress, the command line."""
