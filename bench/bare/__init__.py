"""The least that an order can cost here: a Flask that only validates, and a loop that only stores and tells."""
