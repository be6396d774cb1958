"""The configuration: checked before anything runs, and the code each rule depends on."""
