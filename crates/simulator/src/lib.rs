//! Labelled model traffic with campaigns in it, and the harness that scores a hunt.
