"""What to start from: see README.md."""
