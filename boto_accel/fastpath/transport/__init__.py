"""What moves one HTTP exchange: `http1` knows the bytes, `sync` and `aio` know the sockets."""
