"""The servers that tests talk to, all on loopback, on ports that the kernel chose."""
