"""Expands and deploys the template, starts and stops the stack."""
