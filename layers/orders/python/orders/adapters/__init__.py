"""Access to everything outside: the table, providers, carriers, the workflow, the bus, queues."""
