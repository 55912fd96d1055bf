"""One order, whatever is done to its parts in whatever order: the same model in process and against a running stack."""
