"""微信小程序: shipping information (发货信息管理) and message push."""
