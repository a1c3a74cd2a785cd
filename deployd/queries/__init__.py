"""What can be asked, a file for each noun, for whoever asks: the API, the console, and what else comes.

Nothing is changed here, and nothing is known of HTTP. Imports nothing, so that `deployd check` starts fast.
"""
