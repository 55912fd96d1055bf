"""Writes what operations.yaml derives: the alarms and the dashboard, from template.yaml and the code's own metrics.

``make operations`` runs it; tests/template/test_operations.py compares its output with the file. Functions, machines and feeds
stand in the template, statuses and metrics in the code, and nowhere here: each gets its alarms by being declared.
"""
