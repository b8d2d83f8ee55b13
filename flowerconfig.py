"""Flower's settings; it reads this file by itself. Without authentication it must not be reachable from outside."""

address = "127.0.0.1"
port = 5555
