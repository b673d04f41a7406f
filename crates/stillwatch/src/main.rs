//! Finds, stops and proves illicit distillation of AI models through their APIs.

mod campaigns_file;
mod inputs;
mod pipeline;
mod table;

use std::path::PathBuf;
fn main() {
    let paths: Vec<PathBuf> = std::env::args().skip(3).map(PathBuf::from).collect();
    let inputs = inputs::Inputs::find(&paths, None).expect("inputs");
    let settings = pipeline::Settings { format: None, threads: 2, now: None, engine: detect::Config::default() };
    let outcome = pipeline::run(&inputs, &settings, &mut |_| {}).expect("run");
    println!("{}", serde_json::to_string(&outcome.findings).expect("json"));
}
