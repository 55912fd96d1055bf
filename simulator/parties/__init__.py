"""The parties: each module says what its service promises, where that is documented, and keeps no more than that."""
