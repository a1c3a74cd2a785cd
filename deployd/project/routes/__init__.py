"""The routes file: URL patterns and where they lead."""
