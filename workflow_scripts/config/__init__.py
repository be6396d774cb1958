"""The configuration: files, schema, checks before any job starts, and what rules derive from it."""
