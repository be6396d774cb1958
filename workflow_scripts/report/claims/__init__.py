"""The statements of the Capybara cards, and the criteria by which a run is judged on each."""
