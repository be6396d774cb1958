"""Named rules that tell why a text is unfit for training."""
