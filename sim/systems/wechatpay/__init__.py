"""WeChat Pay v3: payment and refund notices, order query, refunds."""
