//! The configuration of a gateway: the file, with what the environment and the flags say in its place.
//!
//! Promises that whoever checks a configuration and whoever starts a gateway with it do the same.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use alert::Destination;
use console::SignIn;
use gateway::config::{BadConfig, Config, Upstream};
use gateway::environment;
use gateway::tls::{Certificates, Files};
use gateway::worker::Settings;
use seal::PublicKey;

use crate::failure::Failure;
use crate::timestamps::Authority;
use crate::witnesses::Witness;
use crate::{alerts, cli, sealing, sensors, sign_in, timestamps, witnesses};

/// What is said where [`Config::verifies_its_database`] does not hold.
pub(crate) const UNVERIFIED_DATABASE: &str = "the certificate of the database is not verified, and whoever answers in its place can make \
                                           accounts and keys; add `?sslmode=verify-full` to `database`";

/// A configuration that can be used, with what the files that it names hold.
pub(crate) struct Checked {
    /// Where it stands.
    pub(crate) path: PathBuf,
    pub(crate) config: Config,
    pub(crate) settings: Settings,
    pub(crate) certificates: Option<Arc<Certificates>>,
    pub(crate) alerts: Vec<Destination>,
    pub(crate) sensors: Option<sensors::Configured>,
    pub(crate) witnesses: Vec<Witness>,
    pub(crate) timestamps: Option<Authority>,
    pub(crate) seals_for: Option<PublicKey>,
    pub(crate) sign_in: SignIn,
}

impl Checked {
    /// Reads it and every file that it names; makes no file and opens no port.
    pub(crate) fn read(args: &cli::Configuration) -> Result<Checked, Failure> {
        let (path, config) = read(args)?;
        let settings = config.settings(&path).map_err(unusable)?;
        let certificates = certificates(&config)?;
        let alerts = alerts::destinations(&config, &path)?;
        let sensors = sensors::configured(&config, &path)?;
        let witnesses = witnesses::configured(&config, &path)?;
        let timestamps = timestamps::configured(&config, &path)?;
        let seals_for = config.sealing.key.as_deref().map(sealing::public_key).transpose();
        let seals_for =
            seals_for.map_err(|why| Failure::bad_input(format!("{}: `sealing.key`: {why}", path.display())))?;
        let sign_in = sign_in::configured(&config, &path)?;
        Ok(Checked { path, config, settings, certificates, alerts, sensors, witnesses, timestamps, seals_for, sign_in })
    }
}

/// The configuration by itself, and where it stands.
pub(crate) fn read(args: &cli::Configuration) -> Result<(PathBuf, Config), Failure> {
    let (path, config) = match &args.config {
        Some(path) => (path.clone(), Config::read(path).map_err(unusable)?),
        None => (PathBuf::from("command line"), Config::default()),
    };
    let mut config = environment::place(config, std::env::vars_os()).map_err(unusable)?;
    if let Some(data) = &args.data {
        config.data.clone_from(data);
    }
    config.listen = args.listen.unwrap_or(config.listen);
    config.admin = args.admin.unwrap_or(config.admin);
    if !args.upstream.is_empty() {
        config.upstream = args.upstream.iter().map(|url| upstream(url)).collect::<Result<_, _>>()?;
    }
    config.settle(&path).map_err(unusable)?;
    Ok((path, config))
}

/// What the model servers and everything else that may change while it runs is.
pub(crate) fn settings(config: &Config, path: &Path) -> Result<Settings, Failure> {
    config.settings(path).map_err(unusable)
}

/// A model server as it is named on the command line.
pub(crate) fn upstream(url: &str) -> Result<Upstream, Failure> {
    // As clients write it; paths of the API begin with it here.
    let base = url.trim_end_matches('/').trim_end_matches("/v1");
    let uri = base.parse().map_err(|error| Failure::usage(format!("--upstream `{url}`: {error}")))?;
    Ok(Upstream::at(uri))
}

fn certificates(config: &Config) -> Result<Option<Arc<Certificates>>, Failure> {
    let Some(tls) = &config.tls else { return Ok(None) };
    let files = Files {
        chain: tls.certificate.clone(),
        key: tls.key.clone(),
        client_authorities: tls.client_authorities.clone(),
        client_required: tls.client_required,
    };
    Certificates::open(files).map(|certificates| Some(Arc::new(certificates))).map_err(Failure::unreadable)
}

fn unusable(error: BadConfig) -> Failure {
    Failure::unreadable(error)
}
