"""What may happen to an order, as pure decisions: a snapshot goes in, one ``Change`` comes out or a named refusal is raised.

Nothing here talks to a table, a gateway or a clock. A function that finds its work done already returns ``None``, which is
what makes each step of the workflow safe to run twice.
"""
