//! Pure functions from one exchange to its signals.
