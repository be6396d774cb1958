"""What runs inside Label Studio's own environment (requirements-review.txt); nothing of the workflow imports it."""
