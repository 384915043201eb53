"""Calls on real servers, through the libraries that people call S3 with."""
