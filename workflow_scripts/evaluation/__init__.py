"""Benchmark scores by lm-eval."""
