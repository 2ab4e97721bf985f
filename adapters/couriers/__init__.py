"""Those who follow parcels."""
