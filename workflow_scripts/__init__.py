"""Nous-Capybara, reproduced: one package per stage, one entry-point module per Snakemake rule."""
