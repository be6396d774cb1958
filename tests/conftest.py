"""Settings that all tests share."""

from hypothesis import settings

# Two shared cores make single examples slow now and then; that is no failure.
settings.register_profile("capybara", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("capybara")
