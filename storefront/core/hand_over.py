"""What a server that can let go of a connection offers to the app in the environ of a request."""

HAND_OVER = "stockbeat.hand_over"  # () -> the connection, its headers sent, which from then on is the caller's
