"""Evaluation: lm-eval scores, comparisons with the base model, loss per exchange, sample outputs, two-turn questions."""
