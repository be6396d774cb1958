"""The published dataset: decontaminated conversations, split by group into train and test."""
