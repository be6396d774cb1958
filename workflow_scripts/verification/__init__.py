"""Expert verification: what needs eyes, what experts decided, and what follows from it."""
