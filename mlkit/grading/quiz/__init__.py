"""Questions on the lessons, with a reason for every answer: a bank, and what is made of it."""
