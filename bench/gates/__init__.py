"""What the gates cost: price and promotions by themselves, and the gates' share of the steps in which they stand."""
