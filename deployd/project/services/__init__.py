"""The services file: types, sizes and typed configuration."""
