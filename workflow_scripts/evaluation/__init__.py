"""Evaluation: lm-eval scores, peers, comparisons, loss per exchange, sample outputs, questions of several turns."""
