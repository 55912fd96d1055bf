"""The decisions on an order, as pure functions: from a snapshot, one ``Change`` or a named refusal.

Nothing here talks to a table, a gateway or a clock. A function that finds its work done already returns ``None``, which is
what makes each step of the workflow safe to run twice.
"""
