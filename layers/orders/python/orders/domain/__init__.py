"""What an order is and what may become of it: no AWS, no clock, no randomness."""
