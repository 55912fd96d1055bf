"""Lambda: functions, asynchronous invocations and event sources."""
