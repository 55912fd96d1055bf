"""API Gateway and the user pool: routes, authorizer, events, sign-in."""
