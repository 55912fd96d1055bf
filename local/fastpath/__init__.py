"""Speed and memory only: without it the same requests have the same results."""
