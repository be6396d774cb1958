"""The page and the cards that people read."""
