"""快递鸟: tracking by subscription and by question."""
