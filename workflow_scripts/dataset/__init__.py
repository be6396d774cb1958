"""Dataset: split the decontaminated conversations into train and test, and publish them."""
