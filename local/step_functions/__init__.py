"""Step Functions: an interpreter of state machines and the API of their executions."""
