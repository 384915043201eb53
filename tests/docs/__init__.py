"""The site of the documentation, and the examples."""
