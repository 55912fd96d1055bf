"""ministack: access to its inner parts, patches, the in-process client and the journal."""
