"""All that is wrong with a commit's files, collected, worded and reported."""
