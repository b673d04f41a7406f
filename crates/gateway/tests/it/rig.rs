//! A gateway and a mock model on loopback, and a client that writes bytes as they are.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use gateway::clock::SystemClock;
use gateway::gate::Gate;
use gateway::health::Health;
use gateway::mock::Mock;
use gateway::owners::Owners;
use gateway::record::{Records, Tap, queue};
use gateway::server::{Listen, Running};
use gateway::tls::Certificates;
use gateway::upstream::Server;
use gateway::worker::{Settings, Shared, Stats};
use policy::directory::{Change, Directory};
use policy::key::{BRAND, Keys, RANDOM_BYTES};
use policy::{Actions, Key, Policies, Scope};
use serde_json::json;
use store::control::Control;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A gateway with a mock behind it.
pub(crate) struct Rig {
    pub(crate) gateway: Running,
    pub(crate) mock: Mock,
    pub(crate) stats: Arc<Stats>,
    pub(crate) records: Records,
    pub(crate) tap: Tap,
    pub(crate) gate: Arc<Gate>,
    pub(crate) settings: Arc<ArcSwap<Settings>>,
    /// What knows whose files and batches are, where they are served.
    pub(crate) database: Option<Database>,
}

/// A database, and where its connections live.
pub(crate) struct Database {
    pub(crate) control: Control,
    pub(crate) runtime: Runtime,
    _folder: TempDir,
}

/// The key of the account that tests ask with.
pub(crate) const KEY: TestKey = TestKey(9);
/// The key of another one, which may do everything.
pub(crate) const OTHER_KEY: TestKey = TestKey(8);

pub(crate) struct TestKey(u8);

impl std::fmt::Display for TestKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(keys().mint(BRAND, [self.0; RANDOM_BYTES]).1.expose())
    }
}

fn keys() -> Keys {
    Keys::new([1; 32])
}

/// A gate that knows two accounts. The key of the first may do everything but what is `held`.
fn gate(held: Actions) -> Gate {
    let keys = keys();
    let mut directory = Directory::default();
    for (account, random, held) in [("acct", 9, held), ("other", 8, Actions::NONE)] {
        let (id, _, hash) = keys.mint(BRAND, [random; RANDOM_BYTES]);
        let scope = Scope { actions: Actions::ALL.minus(held), ..Scope::default() };
        let created = "1970-01-01T00:00:00Z";
        let key = json!({"id": id, "account": account, "hash": hash, "scope": scope, "created": created});
        let account = json!({"id": account, "created": created});
        directory.apply(Change::Account(serde_json::from_value(account).unwrap())).unwrap();
        directory.apply(Change::Key(serde_json::from_value::<Key>(key).unwrap())).unwrap();
    }
    let policies = Arc::new(Policies::parse(policy::policies::DEFAULT).unwrap());
    Gate::new(directory, keys, Vec::new(), policies)
}

impl Rig {
    pub(crate) fn new(held: Actions) -> Rig {
        let mock = Mock::start("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = mock.address();
        Rig::before(mock, &[address], held, None)
    }

    /// A gateway that serves files and batches.
    pub(crate) fn keeping(held: Actions) -> Rig {
        let mock = Mock::start("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = mock.address();
        Rig::made(mock, &[address], held, None, Some(Database::new()))
    }

    /// The same in front of a server of the test's own.
    pub(crate) fn keeping_in_front_of(server: SocketAddr) -> Rig {
        let mock = Mock::start("127.0.0.1:0".parse().unwrap()).unwrap();
        Rig::made(mock, &[server], Actions::NONE, None, Some(Database::new()))
    }

    /// A gateway with two servers, of which the one that is tried first is away.
    pub(crate) fn half_away() -> Rig {
        let mock = Mock::start("127.0.0.1:0".parse().unwrap()).unwrap();
        let addresses = [nowhere(), mock.address()];
        Rig::before(mock, &addresses, Actions::NONE, None)
    }

    /// A gateway in front of a server of the test's own.
    pub(crate) fn in_front_of(server: SocketAddr) -> Rig {
        let mock = Mock::start("127.0.0.1:0".parse().unwrap()).unwrap();
        Rig::before(mock, &[server], Actions::NONE, None)
    }

    /// A gateway whose server is away.
    pub(crate) fn away() -> Rig {
        let mock = Mock::start("127.0.0.1:0".parse().unwrap()).unwrap();
        Rig::before(mock, &[nowhere()], Actions::NONE, None)
    }

    /// A gateway that speaks TLS.
    pub(crate) fn with_certificates(certificates: Arc<Certificates>) -> Rig {
        let mock = Mock::start("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = mock.address();
        Rig::before(mock, &[address], Actions::NONE, Some(certificates))
    }

    fn before(mock: Mock, addresses: &[SocketAddr], held: Actions, certificates: Option<Arc<Certificates>>) -> Rig {
        Rig::made(mock, addresses, held, certificates, None)
    }

    fn made(
        mock: Mock,
        addresses: &[SocketAddr],
        held: Actions,
        certificates: Option<Arc<Certificates>>,
        database: Option<Database>,
    ) -> Rig {
        let stats = Arc::new(Stats::default());
        let gate = Arc::new(gate(held));
        let (tap, records) = queue();
        let servers = Arc::new(addresses.iter().copied().map(server).collect());
        let settings = Arc::new(ArcSwap::from_pointee(Settings { servers, ..Settings::default() }));
        let shared = Shared {
            gate: Arc::clone(&gate),
            tap: tap.clone(),
            recording: Arc::default(),
            owners: database.as_ref().map(|it| Owners::new(it.control.clone(), it.runtime.handle().clone())),
            settings: Arc::clone(&settings),
            stats: Arc::clone(&stats),
            clock: Box::new(SystemClock),
        };
        let gateway = gateway::server::start(Listen {
            address: "127.0.0.1:0".parse().unwrap(),
            certificates,
            workers: 1,
            shared: Arc::new(shared),
        })
        .unwrap();
        Rig { gateway, mock, stats, records, tap, gate, settings, database }
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        post(self.gateway.address(), path, body)
    }
}

impl Database {
    fn new() -> Database {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let control = runtime.block_on(Control::open_file(&folder.path().join("control.db"))).unwrap();
        Database { control, runtime, _folder: folder }
    }
}

/// Where nothing listens: the port of a listener that was dropped.
fn nowhere() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A model server at `address`.
pub(crate) fn server(address: SocketAddr) -> Server {
    Server {
        name: address.to_string(),
        scheme: "http".parse().unwrap(),
        authority: address.to_string().parse().unwrap(),
        prefix: String::new(),
        models: Vec::new(),
        weight: 1,
        credential: None,
        connect_time_max: Duration::from_secs(5),
        first_byte_time_max: Duration::from_secs(30),
        pause_time_max: Duration::from_secs(30),
        tls: None,
        health_path: None,
        health: Health::default(),
    }
}

/// A reply as it came over the wire.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

pub(crate) fn post(address: SocketAddr, path: &str, body: &str) -> Answer {
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-type: application/json\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    raw(address, request.as_bytes())
}

/// Writes `request` and reads the reply to its end.
pub(crate) fn raw(address: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(request).unwrap();
    let mut reply = Vec::new();
    // A reset after the reply is no matter here.
    let _ = stream.read_to_end(&mut reply);
    parse(&reply)
}

pub(crate) fn parse(reply: &[u8]) -> Answer {
    let split = reply.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(reply.len());
    let head = String::from_utf8_lossy(&reply[..split]).to_lowercase();
    let rest = reply.get(split + 4..).unwrap_or_default();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = if head.contains("transfer-encoding: chunked") { unchunk(rest) } else { rest.to_vec() };
    Answer { status, head, body }
}

pub(crate) fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap().trim(), 16).unwrap_or(0);
        if size == 0 {
            break;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 2 + size + 2..];
    }
    body
}
