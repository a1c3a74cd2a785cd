"""What can be done, a file for each noun, for whoever asks: the API, the console, and what else comes.

Who may is decided before (`access/actions.py`), and nothing is known of HTTP. Each raises a DeployError when it cannot
be done. Imports nothing, so that `deployd check` starts fast.
"""
