"""Use cases of the domain: each reads, decides and writes."""
