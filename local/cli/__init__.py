"""The command `orders`: the local stack, and tools for a running one."""
