"""The statements of the Capybara cards, and what a run must have measured for each to be shown."""
