"""Where a model comes from: a hub repository, a local folder or file, or a file inside an installed package."""
