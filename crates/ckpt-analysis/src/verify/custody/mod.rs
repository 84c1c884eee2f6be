//! What evidence was when it was taken in, and whether it still is.
