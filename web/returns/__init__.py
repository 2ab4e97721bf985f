"""`POST /returns` and `GET /returns/{number}`: for shops that have a customer ask for a return."""
