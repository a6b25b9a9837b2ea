"""A class around the grader: collect what was handed in, return grades, learn from them."""
