"""Seeds: fetch each source as published, adapt, clean, deduplicate, label, select."""
