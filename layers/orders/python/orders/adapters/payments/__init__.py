"""Payment providers: the protocol, one module for each provider, and the registry that finds them by their names."""
