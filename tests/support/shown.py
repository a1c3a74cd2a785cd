"""What of a test a person should see after all tests."""

SHOWN_AT_THE_END = "shown at the end"
"""A test's `record_property` of this name is printed after all tests: what a person should see of them."""
