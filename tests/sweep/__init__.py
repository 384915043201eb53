"""The parity sweep: every operation of every service, stock and fast, on a real HTTP server."""
