"""Stock and accelerated, side by side: the same bytes on the wire, the same answers."""
