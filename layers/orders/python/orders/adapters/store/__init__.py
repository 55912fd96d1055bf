"""The only package that talks to DynamoDB: see ``docs/data-model.md``.

``table`` makes the calls, ``keys`` names the items, ``items`` and ``event_items`` map them; each other module reads and writes
one kind of item. Scalars are attributes of their own, so that conditions, filters and the console can see them; what is only
ever read as a whole (lines, address, steps) is one compact JSON attribute.
"""
