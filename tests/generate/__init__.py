"""Pure generators: valid and spoilt parameters, and raw answers, from botocore's models."""
