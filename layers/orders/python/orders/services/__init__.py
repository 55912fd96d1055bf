"""One sentence of the domain each: what is read, decided and written."""
