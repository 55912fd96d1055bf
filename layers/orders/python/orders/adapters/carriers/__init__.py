"""Carriers: the protocol, one module for each carrier, and the registry that finds them by their names."""
