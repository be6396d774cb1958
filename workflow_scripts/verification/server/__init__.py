"""Scripts for Label Studio's own environment (requirements-review.txt). They import nothing of this package."""
