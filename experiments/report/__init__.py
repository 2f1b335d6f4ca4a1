"""What experiments came to, as one HTML file that needs neither network nor script (`experiments report`)."""
