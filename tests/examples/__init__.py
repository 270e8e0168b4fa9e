"""Two host applications with web pages of their own, to be copied from. Tests run them, in a browser too."""
