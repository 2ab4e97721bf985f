"""Kdniao: courier tracking by subscription, query and push."""
