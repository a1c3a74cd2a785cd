"""Each kind of application: how it is built, and how its runtime is started."""
