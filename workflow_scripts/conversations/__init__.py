"""Conversations: fetch included data, clean and split, assemble everything for decontamination."""
