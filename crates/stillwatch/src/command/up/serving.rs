//! The role of the gateway: callers are served, sensors are listened to, and what went by is recorded.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use admin::Registry;
use arc_swap::ArcSwap;
use gateway::clock::Clock;
use gateway::config::{Config, SyncWhen, Upstream};
use gateway::mock::Mock;
use gateway::owners::Owners;
use gateway::record::{Counters, Records, queue_of_lines};
use gateway::recorder::{Closing, Recorder, Recording, Setup, Sync};
use gateway::server::{Listen, Running};
use gateway::tls::Certificates;
use gateway::worker::{Settings, Shared, Stats};
use seal::{PublicKey, Sealer};
use sensor::Sensors;
use sensor::counts::Counts;
use sensor::newcomers::Newcomers;
use store::segment::{Rotation, Segments};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::keep::{Arrivals, IdentityKeeper};
use crate::configuration::{self, upstream};
use crate::data_folder::DataFolder;
use crate::failure::Failure;
use crate::log::say;
use crate::sealing::{self, Closer};
use crate::sensors::Configured;

/// A gateway at work.
pub(super) struct Serving {
    /// The mock model, where no model server is named.
    pub(super) mock: Option<Mock>,
    pub(super) stats: Arc<Stats>,
    pub(super) queue: Arc<Counters>,
    pub(super) recording: Arc<Recording>,
    /// What is counted of sensors.
    pub(super) counts: Arc<Counts>,
    gateway: Running,
    recorder: Recorder,
    sensors: Option<Sensors>,
    tasks: Vec<JoinHandle<()>>,
}

/// What a gateway works with.
pub(super) struct Parts<'p> {
    pub(super) config: &'p mut Config,
    /// Where the configuration stands.
    pub(super) path: &'p Path,
    pub(super) folder: &'p DataFolder,
    pub(super) registry: &'p Arc<Registry>,
    pub(super) settings: &'p Arc<ArcSwap<Settings>>,
    pub(super) certificates: Option<Arc<Certificates>>,
    pub(super) sensors: Option<Configured>,
    pub(super) seals_for: Option<PublicKey>,
    pub(super) owners: Owners,
    pub(super) clock: &'p Arc<dyn Clock>,
}

impl Serving {
    pub(super) async fn start(parts: Parts<'_>) -> Result<Serving, Failure> {
        let Parts { config, path, folder, registry, settings, certificates, sensors, seals_for, owners, clock } = parts;
        folder.quotas_used().restore(registry.gate().quotas())?;
        let (tap, records) = queue_of_lines();
        let queue = Arc::clone(tap.counters());
        let recording = Arc::new(Recording::default());
        let recorder = record(config, folder, seals_for, records, registry, &recording, clock)?;
        let mock = if config.upstream.is_empty() {
            let mock = Mock::start(SocketAddr::from(([127, 0, 0, 1], 0)));
            let mock = mock.map_err(|error| Failure::io("the mock model cannot be started", error))?;
            config.upstream.push(mock_server(&mock)?);
            settings.store(Arc::new(configuration::settings(config, path)?));
            Some(mock)
        } else {
            None
        };
        let mut identities = IdentityKeeper::new(registry, settings, clock);
        // Before anybody can ask, so that tokens hold from the beginning where their issuer can be reached.
        identities.step().await;
        let stats = Arc::new(Stats::default());
        let shared = Arc::new(Shared {
            gate: Arc::clone(registry.gate()),
            tap,
            recording: Arc::clone(&recording),
            settings: Arc::clone(settings),
            owners: Some(owners),
            stats: Arc::clone(&stats),
            clock: Box::new(Arc::clone(clock)),
        });
        let (newcomers, counts) = (Arc::new(Newcomers::default()), Arc::<Counts>::default());
        let sensors = match sensors {
            Some(configured) => {
                let setup = sensor::Setup {
                    shared: Arc::clone(&shared),
                    listener: listen(configured.listen).await?,
                    certificates: certificates.clone(),
                    key: configured.key,
                    naming: configured.naming,
                    options: configured.options,
                    received: folder.received(),
                    newcomers: Arc::clone(&newcomers),
                    counts: Arc::clone(&counts),
                    say,
                };
                Some(Sensors::start(setup).map_err(|error| Failure::io("sensors cannot be listened to", error))?)
            }
            None => None,
        };
        let tier = config.sensor.tier;
        let arrivals =
            Arrivals { registry: Arc::clone(registry), newcomers, tier, clock: Arc::clone(clock), trouble: None };
        let tasks = vec![tokio::spawn(identities.run()), tokio::spawn(arrivals.run())];
        let address = config.listen;
        let listen = Listen { address, certificates, workers: config.workers, shared };
        // It has runtimes of its own, which may not go within this one.
        let gateway = tokio::task::block_in_place(|| gateway::server::start(listen));
        let gateway = gateway.map_err(|error| Failure::io(format!("{address} cannot be listened on"), error))?;
        Ok(Serving { mock, stats, queue, recording, counts, gateway, recorder, sensors, tasks })
    }

    /// Where callers are served.
    pub(super) fn address(&self) -> SocketAddr {
        self.gateway.address()
    }

    /// Where sensors connect.
    pub(super) fn sensors(&self) -> Option<SocketAddr> {
        self.sensors.as_ref().map(Sensors::address)
    }

    /// Ends, once everything is recorded.
    pub(super) async fn finish(self, patience: Duration) {
        // First, so that what they tell at last is recorded.
        if let Some(sensors) = self.sensors {
            sensors.finish(patience).await;
        }
        let (gateway, recorder) = (self.gateway, self.recorder);
        let drained = tokio::task::spawn_blocking(move || {
            gateway.drain(patience);
            recorder.finish();
        });
        let _ = drained.await;
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Binds an address.
pub(super) async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| Failure::io(format!("{address} cannot be listened on"), error))
}

/// The mock as a model server. Its port is another one at each start, and what it kept is found by its name.
pub(super) fn mock_server(mock: &Mock) -> Result<Upstream, Failure> {
    Ok(Upstream { name: Some("mock".to_owned()), ..upstream(&format!("http://{}", mock.address()))? })
}

fn record(
    config: &Config,
    folder: &DataFolder,
    seals_for: Option<PublicKey>,
    records: Records,
    registry: &Arc<Registry>,
    recording: &Arc<Recording>,
    clock: &Arc<dyn Clock>,
) -> Result<Recorder, Failure> {
    let failed = |error| Failure::io("exchanges cannot be recorded", error);
    let table = &config.recording;
    let rotation = Rotation {
        bytes_max: table.file_bytes,
        age_max: Duration::from_secs(table.file_seconds),
        kept_bytes_max: table.kept_bytes,
    };
    let sync = match table.sync {
        SyncWhen::Never => Sync::Never,
        SyncWhen::Always => Sync::Always,
        SyncWhen::Seconds(seconds) => Sync::Every(Duration::from_secs(seconds)),
    };
    let users = Arc::clone(registry);
    let closing = match seals_for {
        Some(key) => {
            let sealer = Sealer::new(key, sealing::keys(folder.path())?);
            Some(Box::new(Closer::new(sealer, folder.fingerprint_key()?)) as Box<dyn Closing>)
        }
        None => None,
    };
    let setup = Setup {
        records,
        closing,
        segments: Segments::open(&folder.exchanges(), rotation).map_err(failed)?,
        sync,
        clock: Box::new(Arc::clone(clock)),
        say: Box::new(say),
        used: Box::new(move |key, time| users.used(key, time)),
    };
    Recorder::start(setup, Arc::clone(recording)).map_err(failed)
}
