"""What an LM knows without pictures, asked in text or read off its neighbourhoods."""
