"""What the project is kept with; nothing of it is installed with the program."""
