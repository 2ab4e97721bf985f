"""The page of one order, for people who came by a link from an artifact or an alert."""
