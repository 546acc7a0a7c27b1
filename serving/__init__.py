"""Route groups of the server, and what travels to the browser."""
