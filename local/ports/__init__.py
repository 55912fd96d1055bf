"""The two ports on loopback, and what is refused at them."""
