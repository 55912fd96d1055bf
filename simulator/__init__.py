"""The deterministic simulator: the product's own functions and machines under everything AWS may do, drawn from a seed.

One thread, virtual time, one source of chance. ``docs/simulator.md`` says what it does and how it is used.
"""
