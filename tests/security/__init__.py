"""What must never get out, never get in, and never get through."""
