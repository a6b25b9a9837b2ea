"""What an exercise is: read from its solution, and made into what learners are given."""
