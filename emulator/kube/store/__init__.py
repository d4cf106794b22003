"""The store: objects, versions, watches, deletion, and how they last."""
