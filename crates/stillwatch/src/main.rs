//! Finds, stops and proves illicit distillation of AI models through their APIs.
fn main() {}
