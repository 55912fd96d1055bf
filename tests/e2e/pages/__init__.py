"""A package, so that its browser is closed after its last test: while one is driven, its thread can run no other loop."""
