"""The template expanded and deployed, the stack started and stopped."""
