"""One compiler a protocol: from botocore's model shapes to plain Python functions."""
