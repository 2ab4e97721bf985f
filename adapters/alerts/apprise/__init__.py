"""E-mail, and whatever else the package of this name speaks."""
