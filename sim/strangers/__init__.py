"""Strangers: a labelled stream of honest and crooked orders, for judging whoever tells them apart."""
