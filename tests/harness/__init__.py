"""What the tests share: builders, fakes of outside parties, AWS in memory, running stacks, readers of template and docs."""
