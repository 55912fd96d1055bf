"""Payment providers' adapters to start from."""
