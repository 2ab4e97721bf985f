"""The page of one alert: who was told, who took it on, and the form that answers it."""
