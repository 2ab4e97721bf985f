"""飞书 and Lark custom bot."""
