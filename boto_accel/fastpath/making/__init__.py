"""Making clients for less: what botocore reads from its own files is read once for a process."""
