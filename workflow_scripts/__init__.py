"""Nous-Capybara, reproduced: one entry-point module a Snakemake rule, one subpackage a topic."""
