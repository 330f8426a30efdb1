"""What several test files need: servers, photographs, films, tiny runs."""
