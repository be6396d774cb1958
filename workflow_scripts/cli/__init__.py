"""User commands: `capybara estimate | plan | chat | decontaminate | review | cache | publish`."""
