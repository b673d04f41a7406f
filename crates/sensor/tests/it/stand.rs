//! Sensors that listen, with a gateway's record behind them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use exchange::ReadOptions;
use gateway::clock::SystemClock;
use gateway::gate::Gate;
use gateway::record::queue_of_lines;
use gateway::recorder::{Recorder, Recording, Setup as Recorded, Sync};
use gateway::worker::{Settings, Shared};
use policy::directory::{Change, Directory};
use policy::key::Keys;
use policy::{AccountId, Policies};
use sensor::counts::Counts;
use sensor::door::SensorKey;
use sensor::newcomers::Newcomers;
use sensor::{Naming, Sensors, Setup};
use serde_json::{Value, json};
use store::segment::{Rotation, Segments};
use tokio::net::TcpListener;
use tonic::metadata::MetadataValue;

pub(crate) const KEY: &str = "0123456789abcdef0123456789abcdef";

pub(crate) struct Stand {
    pub(crate) sensors: Option<Sensors>,
    pub(crate) newcomers: Arc<Newcomers>,
    pub(crate) counts: Arc<Counts>,
    recorder: Option<Recorder>,
    folder: tempfile::TempDir,
}

/// Sensors that know `blocked`, which may nothing, and nobody else.
pub(crate) async fn stand(folder: tempfile::TempDir) -> Stand {
    let mut directory = Directory::default();
    for id in ["blocked", "shielded"] {
        let account = json!({"id": id, "created": "1970-01-01T00:00:00Z"});
        directory.apply(Change::Account(serde_json::from_value(account).unwrap())).unwrap();
        let rung = if id == "blocked" { "block" } else { "shield" };
        let response = json!({"id": format!("r_{id}"), "target": {"account": id}, "rung": rung,
            "since": "1970-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z", "reason": "", "author": "ann"});
        directory.apply(Change::Response(serde_json::from_value(response).unwrap())).unwrap();
        let (response, account): (_, AccountId) = (format!("r_{id}").parse().unwrap(), id.parse().unwrap());
        directory.apply(Change::Covered { response, account, cover: policy::directory::Cover::Holds }).unwrap();
    }
    let policies = Arc::new(Policies::parse(policy::policies::DEFAULT).unwrap());
    let gate = Arc::new(Gate::new(directory, Keys::new([5; 32]), Vec::new(), policies));
    let (tap, records) = queue_of_lines();
    let recording = Arc::new(Recording::default());
    let rotation = Rotation { bytes_max: 1 << 30, age_max: Duration::from_secs(3600), kept_bytes_max: 1 << 40 };
    let recorder = Recorder::start(
        Recorded {
            records,
            closing: None,
            segments: Segments::open(&folder.path().join("exchanges"), rotation).unwrap(),
            sync: Sync::Never,
            clock: Box::new(SystemClock),
            say: Box::new(|text| panic!("{text}")),
            used: Box::new(|_, _| {}),
        },
        Arc::clone(&recording),
    );
    let shared = Arc::new(Shared {
        gate,
        tap,
        recording,
        settings: Arc::new(ArcSwap::from_pointee(Settings::default())),
        owners: None,
        stats: Arc::default(),
        clock: Box::new(SystemClock),
    });
    let (newcomers, counts) = (Arc::<Newcomers>::default(), Arc::<Counts>::default());
    let naming = Naming {
        header: Some("x-account".parse().unwrap()),
        litellm: "user_api_key_hash".to_owned(),
        tier: policy::account::Tier::Standard,
    };
    let sensors = Sensors::start(Setup {
        shared,
        listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        certificates: None,
        key: SensorKey::new(KEY).unwrap(),
        naming,
        options: ReadOptions::default(),
        received: (folder.path().join("received"), folder.path().join("received.json")),
        newcomers: Arc::clone(&newcomers),
        counts: Arc::clone(&counts),
        say: |text| panic!("{text}"),
    });
    Stand { sensors: Some(sensors.unwrap()), newcomers, counts, recorder: Some(recorder.unwrap()), folder }
}

impl Stand {
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.sensors.as_ref().unwrap().address())
    }

    pub(crate) async fn channel(&self) -> tonic::transport::Channel {
        tonic::transport::Endpoint::from_shared(self.url()).unwrap().connect().await.unwrap()
    }

    pub(crate) fn count(&self, name: &str) -> u64 {
        self.counts.all().find(|(known, _)| *known == name).unwrap().1
    }

    pub(crate) fn received(&self) -> PathBuf {
        self.folder.path().join("received")
    }

    /// Ends, and tells what is on record by then.
    pub(crate) async fn end(mut self) -> (Vec<Value>, tempfile::TempDir) {
        self.sensors.take().unwrap().finish(Duration::from_secs(5)).await;
        let recorder = self.recorder.take().unwrap();
        tokio::task::spawn_blocking(move || recorder.finish()).await.unwrap();
        let files = std::fs::read_dir(self.folder.path().join("exchanges")).unwrap();
        let text: String = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
        (text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), self.folder)
    }
}

/// A message with the key.
pub(crate) fn keyed<T>(message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    let key = MetadataValue::try_from(format!("Bearer {KEY}")).unwrap();
    request.metadata_mut().insert("authorization", key);
    request
}

/// Posts a body; the status and what comes back.
pub(crate) async fn post(url: &str, headers: &[(&str, &str)], body: Vec<u8>) -> (u16, Vec<u8>) {
    use http_body_util::{BodyExt as _, Full};
    let address = url.strip_prefix("http://").unwrap();
    let (address, path) = address.split_at(address.find('/').unwrap());
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = hyper::Request::post(path).header("host", address);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = sender.send_request(request.body(Full::new(bytes::Bytes::from(body))).unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.into_body().collect().await.unwrap().to_bytes().to_vec())
}
