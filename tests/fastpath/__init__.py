"""The fast path beside stock: what it takes, what it leaves, and that nobody can tell."""
