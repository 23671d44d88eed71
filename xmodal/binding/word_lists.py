"""English words for the retrieval task: common ones, which most tokenizers have as one token.

No word is in two lists, so that each says which kind it is of.
"""

_COLOURS = """
red blue green black white yellow brown pink gray purple orange golden silver violet tan olive
navy coral cream amber ruby rose lime mint peach plum cherry ivory copper bronze iron steel
wooden stone glass plastic paper leather cotton silk wool rubber marble clay metal brick crystal
diamond bright dark pale striped plain painted shiny dusty sandy smooth rough rusty
"""
COLOURS = tuple(_COLOURS.split())
"""Colours, and what else tells things of one shape apart."""
_SHAPES = """
square circle triangle star heart cross ring ball box cube cone arrow oval spiral cylinder
pyramid sphere wheel disk block bar tube plate bowl cup bottle basket bag case drawer cabinet
tray jar barrel bucket chest trunk pocket wallet purse envelope folder tent cage nest shelf
table desk bench chair boat car truck wagon tower house room tank bell drum
"""
SHAPES = tuple(_SHAPES.split())
"""Shapes, and things that hold others."""
_ITEMS = """
apple key coin book pen watch letter map phone camera lamp candle knife fork spoon hammer nail
needle thread button hat shoe shirt coat belt flower leaf seed egg bread cheese cake cookie
banana lemon carrot potato tomato onion fish bird cat dog mouse frog spider snake toy doll card
ticket flag mirror brush soap towel pillow blanket pencil rope
"""
ITEMS = tuple(_ITEMS.split())
"""Small things."""
