"""A guestbook that shows what deployd gave it."""
