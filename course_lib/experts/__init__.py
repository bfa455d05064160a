"""Many feed-forward networks, of which a token uses a few: routers, dispatch, balance."""
