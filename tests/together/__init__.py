"""The package beside other tools that patch, mock, trace or build on botocore: the real ones."""
