"""What callers see: routes, bodies, views, problems, pages of a list, streams."""
