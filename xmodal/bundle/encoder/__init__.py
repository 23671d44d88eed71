"""The encoder that ships: learnt from the pictures' training split, without labels."""
