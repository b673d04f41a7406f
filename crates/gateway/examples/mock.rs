//! The mock model server alone, on a free port of the loopback address; prints where it is, and runs until it is ended.

use std::net::SocketAddr;

use gateway::mock::Mock;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mock = Mock::start(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    println!("http://{}", mock.address());
    loop {
        std::thread::park();
    }
}
