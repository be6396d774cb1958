"""Expert verification: queue items for experts, import their decisions, apply them to the conversations."""
