"""What business people decide: prices, promotions, risk. Pure: rules and facts in, figures with their reasons out."""
