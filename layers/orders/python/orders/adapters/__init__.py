"""What stands at the edge: the table, providers, carriers, the workflow, the bus, queues."""
