"""`ballast risk evaluate`: the risk rules, judged by a stream of orders of which the truth is known."""
