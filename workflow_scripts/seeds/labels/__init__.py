"""FLASK labels of seeds (arXiv 2307.10928): three skills, a domain, a level of difficulty."""
