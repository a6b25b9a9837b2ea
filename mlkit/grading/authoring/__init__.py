"""What an author does with exercises: begin one, try it, hand it out."""
