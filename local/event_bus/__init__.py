"""EventBridge: the bus's own policy."""
