//! A gateway in front of the mock model, to be driven from outside: prints the address of each and a key, and runs
//! until it is stopped. `cargo run -p gateway --example front`.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use gateway::clock::SystemClock;
use gateway::gate::Gate;
use gateway::mock::Mock;
use gateway::record::Tap;
use gateway::server::{Listen, start};
use gateway::upstream::{Health, Server};
use gateway::worker::{Settings, Shared, Stats};
use policy::Policies;
use policy::directory::{Change, Directory};
use policy::key::{BRAND, Keys, RANDOM_BYTES};
use serde_json::json;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let anywhere = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let (mut pepper, mut random) = ([0; 32], [0; RANDOM_BYTES]);
    aws_lc_rs::rand::fill(&mut pepper)?;
    aws_lc_rs::rand::fill(&mut random)?;
    let keys = Keys::new(pepper);
    let (id, secret, hash) = keys.mint(BRAND, random);
    let created = "1970-01-01T00:00:00Z";
    let key = json!({"id": id, "account": "acct", "hash": hash, "created": created});
    let mut directory = Directory::default();
    directory.apply(Change::Account(serde_json::from_value(json!({"id": "acct", "created": created}))?))?;
    directory.apply(Change::Key(serde_json::from_value(key)?))?;
    let mock = Mock::start(anywhere)?;
    let server = Server {
        name: "mock".to_owned(),
        scheme: "http".parse()?,
        authority: mock.address().to_string().parse()?,
        prefix: String::new(),
        models: Vec::new(),
        weight: 1,
        credential: None,
        connect_time_max: Duration::from_secs(5),
        first_byte_time_max: Duration::from_secs(600),
        pause_time_max: Duration::from_secs(300),
        tls: None,
        health: Health::default(),
    };
    let policies = Arc::new(Policies::parse(policy::policies::DEFAULT)?);
    let shared = Shared {
        gate: Arc::new(Gate::new(directory, keys, Vec::new(), policies)),
        tap: Tap::closed(),
        recording: Arc::default(),
        settings: Arc::new(ArcSwap::from_pointee(Settings { servers: Arc::new(vec![server]), ..Settings::default() })),
        stats: Arc::new(Stats::default()),
        clock: Box::new(SystemClock),
    };
    let listen = Listen { address: anywhere, certificates: None, workers: 0, shared: Arc::new(shared) };
    let running = start(listen)?;
    let key = secret.expose();
    println!("--direct http://{} --through http://{} --key {key}", mock.address(), running.address());
    loop {
        std::thread::park();
    }
}
