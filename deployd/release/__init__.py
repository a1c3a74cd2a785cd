"""One version of an environment: all that it takes to run it, look at it, repair it and remove it."""
