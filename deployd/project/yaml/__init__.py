"""YAML as the hosted platforms read it: text to nodes that know where they stand."""
