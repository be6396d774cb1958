"""The report: claims, figures, and the HTML pages of a run."""
