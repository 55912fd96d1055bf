"""The same order on other engines, each in an environment of its own."""
