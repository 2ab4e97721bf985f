"""A recorded history, played: years in minutes, on a clock that is set."""
