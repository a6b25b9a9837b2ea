"""What people look at after a run: pictures, the HTML report, the comparison of two runs."""
