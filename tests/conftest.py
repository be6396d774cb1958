"""Settings that all tests share."""

from hypothesis import settings

# No deadline: on two shared cores a single example is sometimes slow.
settings.register_profile("capybara", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("capybara")
