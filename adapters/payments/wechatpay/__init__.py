"""微信支付 v3: payment notices, questions, refunds."""
