"""Scores of seeds after DEITA (arXiv 2312.15685): complexity of the request, quality of the answer, their product."""
